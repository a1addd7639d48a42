// The small JSON body from Go's net/http, with nothing around it.
//
//	server PORT
package main

import (
	"log"
	"net/http"
	"os"
)

func main() {
	body := []byte(`{"message":"hello"}`)
	http.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(body)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
