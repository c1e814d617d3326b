// The sample service: says its version, and that it is well.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

func handler(version string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/version", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "{\"version\": %q}\n", version) })
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	return mux
}

func main() {
	log.Fatal(http.ListenAndServe(":8000", handler(os.Getenv("APP_VERSION"))))
}
