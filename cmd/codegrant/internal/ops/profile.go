package ops

import (
	"net/http"
	"runtime"
	"runtime/pprof"
	"strconv"
	"time"
)

const (
	profileSeconds = 30
	profileMost    = 120
)

// profiles answers where operators look, in the form that go tool pprof reads. What is kept
// in memory is in none of them: they say where it was allocated, and how much.
func profiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/profile", profileProcessor)
	for _, name := range []string{"heap", "allocs", "goroutine"} {
		mux.HandleFunc("GET /debug/pprof/"+name, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("gc") == "1" { // as net/http/pprof has it
				runtime.GC()
			}
			w.Header().Set("Content-Type", "application/octet-stream")
			_ = pprof.Lookup(name).WriteTo(w, 0)
		})
	}
}

// profileProcessor takes one profile at a time: the runtime has one clock for it.
func profileProcessor(w http.ResponseWriter, r *http.Request) {
	seconds := profileSeconds
	if said := r.URL.Query().Get("seconds"); said != "" {
		var err error
		if seconds, err = strconv.Atoi(said); err != nil || seconds < 1 || seconds > profileMost {
			http.Error(w, "seconds must be a number from 1 to 120", http.StatusBadRequest)
			return
		}
	}
	length := time.Duration(seconds) * time.Second
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(length + 30*time.Second))
	w.Header().Set("Content-Type", "application/octet-stream")
	if err := pprof.StartCPUProfile(w); err != nil {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		http.Error(w, "a profile is being taken already; try again when it is over", http.StatusConflict)
		return
	}
	defer pprof.StopCPUProfile()
	over := time.NewTimer(length)
	defer over.Stop()
	select {
	case <-over.C:
	case <-r.Context().Done():
	}
}
