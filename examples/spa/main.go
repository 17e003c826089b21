// Command spa is the service behind a single-page application in React: an API that is
// for signed-in people, and the built front end.
//
// How to run it is in docs/spa.md.
package main

import (
	"encoding/json"
	"flag"
	"io/fs"
	"log"
	"net/http"
	"os"
	"path"
	"sync"

	"github.com/rs/cors"

	"github.com/codegrant/codegrant"
)

func main() {
	listen := flag.String("listen", "localhost:8080", "address to listen on")
	dist := flag.String("dist", "", "folder of the built front end, such as web/dist")
	frontEnd := flag.String("frontend", "", "origin of a front end that another server serves, such as http://localhost:5173")
	flag.Parse()
	config, err := codegrant.ConfigFromEnv()
	if err != nil {
		log.Fatal(err)
	}
	handler, err := service(config, *dist, *frontEnd)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(*listen, handler))
}

func service(config codegrant.Config, dist, frontEnd string) (http.Handler, error) {
	if frontEnd != "" {
		config.AllowedReturnOrigins = []string{frontEnd} // a sign-in may return there
		config.TrustedOrigins = []string{frontEnd}       // its pages may send POST, PUT, PATCH and DELETE
		config.DefaultReturnURL = frontEnd + "/"
		config.SignOutURLs = []string{frontEnd + "/"}
	}
	auth, err := codegrant.New(config)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	var n notes
	mux.Handle("GET /api/notes", auth.Require()(http.HandlerFunc(n.list)))
	mux.Handle("POST /api/notes", auth.Require()(http.HandlerFunc(n.add)))
	mux.Handle("GET /api/reports", auth.Require(codegrant.InGroup("analysts"))(http.HandlerFunc(reports)))
	if dist != "" {
		mux.Handle("/", pages(os.DirFS(dist)))
	}
	if frontEnd == "" {
		return mux, nil
	}
	// Around everything: a preflight has no cookie, so that it must not reach Require.
	return cors.New(cors.Options{
		AllowedOrigins:   []string{frontEnd}, // never "*", which browsers refuse with cookies
		AllowedMethods:   []string{"GET", "POST", "PUT", "PATCH", "DELETE"},
		AllowedHeaders:   []string{"Content-Type"},
		ExposedHeaders:   []string{"Retry-After"},
		AllowCredentials: true,
	}).Handler(mux), nil
}

// pages serves the files of a built front end, and its index.html for the paths that its
// own router knows.
func pages(dist fs.FS) http.Handler {
	files := http.FileServerFS(dist)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := path.Clean(r.URL.Path)[1:]; name != "" {
			if _, err := fs.Stat(dist, name); err != nil && path.Ext(name) == "" {
				r.URL.Path = "/"
			}
		}
		files.ServeHTTP(w, r)
	})
}

// notes are each person's own, in memory.
type notes struct {
	mu       sync.Mutex
	byPerson map[string][]string // guarded by mu
}

func (n *notes) list(w http.ResponseWriter, r *http.Request) {
	id, _ := codegrant.From(r.Context())
	n.mu.Lock()
	defer n.mu.Unlock()
	answer(w, n.byPerson[id.Subject])
}

func (n *notes) add(w http.ResponseWriter, r *http.Request) {
	id, _ := codegrant.From(r.Context())
	var note struct{ Text string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&note); err != nil {
		http.Error(w, "the body is not a note", http.StatusBadRequest)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byPerson == nil {
		n.byPerson = make(map[string][]string)
	}
	n.byPerson[id.Subject] = append(n.byPerson[id.Subject], note.Text)
	answer(w, n.byPerson[id.Subject])
}

func reports(w http.ResponseWriter, _ *http.Request) {
	answer(w, []string{"sales"})
}

func answer(w http.ResponseWriter, list []string) {
	if list == nil {
		list = []string{} // [] in JSON, not null
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list) // the client may have gone
}
