// The shop of shop.py in Go, linked statically, for an image with nothing else: `shop PORT... WHO`.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ports, who := os.Args[1:len(os.Args)-1], os.Args[len(os.Args)-1]
	http.HandleFunc("/", func(response http.ResponseWriter, request *http.Request) {
		from, _, _ := net.SplitHostPort(request.RemoteAddr)
		fmt.Printf("%s %s from %s\n", request.Method, request.URL.RequestURI(), from)
		path := request.URL.Path
		switch {
		case path == "/healthz":
			fmt.Fprintf(response, "%s is well\n", who)
		case path == "/echo":
			body, _ := io.ReadAll(request.Body)
			response.Write(body)
		case path == "/file":
			content, err := os.ReadFile(request.URL.Query().Get("path"))
			if err != nil {
				response.WriteHeader(http.StatusNotFound)
			}
			response.Write(content)
		case strings.HasPrefix(path, "/variable/"):
			value, found := os.LookupEnv(strings.TrimPrefix(path, "/variable/"))
			if !found {
				response.WriteHeader(http.StatusNotFound)
			}
			io.WriteString(response, value)
		default:
			fmt.Fprintf(response, "%s, go: %s from %s\n", who, path, from)
		}
	})
	if note := os.Getenv("NOTE"); note != "" {
		if err := os.WriteFile(note, []byte("written by "+who+"\n"), 0o644); err != nil {
			panic(err)
		}
	}
	fmt.Println("serving as", who)
	for _, port := range ports {
		go func(port string) { panic(http.ListenAndServe(":"+port, nil)) }(port)
	}
	// As a container's first process it ends on SIGTERM only if it asks for it.
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	<-ended
}
