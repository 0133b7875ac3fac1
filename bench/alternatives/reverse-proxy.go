// The alternative in Go: httputil.ReverseProxy to a unix socket.  usage: reverse-proxy ADDRESS SOCKET
package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	socket := os.Args[2]
	target, _ := url.Parse("http://localhost")
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		MaxIdleConnsPerHost: 128,
	}
	if err := http.ListenAndServe(os.Args[1], proxy); err != nil {
		panic(err)
	}
}
