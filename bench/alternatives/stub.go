// A cheap upstream that speaks the Fn contract: answers every request with the same small body.
package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	target := strings.TrimPrefix(os.Getenv("FN_LISTENER"), "unix:")
	phony := filepath.Join(filepath.Dir(target), "phony.sock")
	listener, err := net.Listen("unix", phony)
	if err != nil {
		panic(err)
	}
	if err := os.Chmod(phony, 0o666); err != nil {
		panic(err)
	}
	if err := os.Symlink("phony.sock", target); err != nil {
		panic(err)
	}
	body := []byte(`{"message":"hello"}`)
	_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
}
