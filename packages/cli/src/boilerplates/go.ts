import type { Boilerplate } from "./boilerplate.ts";

const source = `package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
)

type greeting struct {
	Name string \`json:"name"\`
}

// With Fn's FDK instead of listener.go: go get github.com/fnproject/fdk-go, and here
//
//	fdk.Handle(fdk.HandlerFunc(myHandler))
func main() {
	serve(myHandler)
}

// in is the body of the call, out becomes the answer.
func myHandler(ctx context.Context, in io.Reader, out io.Writer) {
	person := greeting{Name: "World"}
	if err := json.NewDecoder(in).Decode(&person); err != nil && err != io.EOF {
		panic(err)
	}
	log.Print("Greeting ", person.Name)
	json.NewEncoder(out).Encode(map[string]string{"message": "Hello " + person.Name})
}
`;

const listener = `package main

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
)

// serve answers calls as Fn's contract asks: HTTP/1.1 on the UNIX socket that FN_LISTENER names.
func serve(handler func(ctx context.Context, in io.Reader, out io.Writer)) {
	path := strings.TrimPrefix(os.Getenv("FN_LISTENER"), "unix:")
	ready := filepath.Join(filepath.Dir(path), "ready.sock")
	door, err := net.Listen("unix", ready)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.Chmod(ready, 0o666); err != nil {
		log.Fatal(err)
	}
	// Who sees the link finds somebody listening behind it.
	if err := os.Symlink("ready.sock", path); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(door, http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		writer.Header().Set("Content-Type", "application/json")
		var answer bytes.Buffer
		defer func() {
			if failure := recover(); failure != nil {
				log.Printf("%v\\n%s", failure, debug.Stack())
				writer.WriteHeader(http.StatusBadGateway)
				io.WriteString(writer, \`{"message":"The function failed; its log says why."}\`)
				return
			}
			writer.Write(answer.Bytes())
		}()
		handler(request.Context(), request.Body, &answer)
	})))
}
`;

const module = `module func

go 1.19
`;

export const go: Boilerplate = {
  functionFile: ["runtime: go", "entrypoint: ./func"],
  files: () => ({ "func.go": source, "listener.go": listener, "go.mod": module }),
};
