// A function that needs nothing but the standard library.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func serve(response http.ResponseWriter, request *http.Request) {
	switch request.Header.Get("Fn-Do") {
	case "echo":
		echo(response, request)
	case "tell":
		words := append([]string{fmt.Sprint(os.Getpid()), os.Getenv("FN_FN_NAME"), os.Getenv("COLOUR")}, os.Args[1:]...)
		fmt.Fprint(response, strings.Join(words, " "))
	case "door":
		door, err := net.Dial("tcp", strings.TrimPrefix(os.Getenv("OCI_LOCAL_ENDPOINT"), "http://"))
		if err != nil {
			http.Error(response, err.Error(), 502)
			return
		}
		defer door.Close()
		fmt.Fprintln(door, "knock")
		line, _ := bufio.NewReader(door).ReadString('\n')
		fmt.Fprint(response, line)
	case "hang":
		time.Sleep(10 * time.Minute)
	}
}

func echo(response http.ResponseWriter, request *http.Request) {
	// Reading goes on while the answer is written.
	response.(http.Flusher).Flush()
	piece := make([]byte, 64*1024)
	for {
		count, err := request.Body.Read(piece)
		response.Write(piece[:count])
		response.(http.Flusher).Flush()
		if err != nil {
			if err != io.EOF {
				fmt.Fprintln(os.Stderr, err)
			}
			return
		}
	}
}

func main() {
	listener := strings.TrimPrefix(os.Getenv("FN_LISTENER"), "unix:")
	phony := filepath.Join(filepath.Dir(listener), "phonylsnr.sock")
	isDirect := os.Getenv("MODE") == "direct"
	if isDirect {
		phony = listener
	}
	socket, err := net.Listen("unix", phony)
	if err == nil && !isDirect {
		err = os.Symlink("phonylsnr.sock", listener)
	}
	if err == nil {
		err = http.Serve(socket, http.HandlerFunc(serve))
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
