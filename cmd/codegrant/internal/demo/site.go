package demo

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

//go:embed assets
var assets embed.FS

// The demo's pages need no script; their one style sheet is inlined.
var (
	siteStyle  = template.CSS(mustRead("assets/site.css"))
	stylePin   = sha256.Sum256([]byte(siteStyle))
	sitePolicy = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(stylePin[:]) +
		"'; form-action 'self' http://localhost:* http://127.0.0.1:*; frame-ancestors 'none'; base-uri 'none'"
	siteTemplates = template.Must(template.New("").Funcs(template.FuncMap{
		"style": func() template.CSS { return siteStyle },
		"ago":   ago,
		"join":  strings.Join,
	}).ParseFS(assets, "assets/*.html"))
)

func mustRead(name string) string {
	b, err := assets.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// site is the demo's application: a home page and two API backends behind one
// userbase, each with permissions of its own.
type site struct {
	*demo
	users           replica.Store
	sessions        session.Store
	changes         *changeLog
	poolID, issuer  string
	baseURL, poolAt string
}

func newSite(d *demo, users replica.Store, sessions session.Store, changes *changeLog, poolID, issuer, baseURL, poolURL string) http.Handler {
	s := &site{demo: d, users: users, sessions: sessions, changes: changes, poolID: poolID, issuer: issuer, baseURL: baseURL, poolAt: poolURL}
	mux := http.NewServeMux()
	d.auth.Mount(mux, "/auth")
	mux.Handle("GET /{$}", d.auth.Require()(http.HandlerFunc(s.home)))
	mux.Handle("GET /replica", d.auth.Require()(http.HandlerFunc(s.replica)))
	mux.Handle("POST /groups", d.auth.Require()(http.HandlerFunc(s.changeGroups)))
	mux.Handle("/orders", d.auth.Require(codegrant.InAnyGroup("admins", "editors"))(ordersBackend()))
	mux.Handle("/reports", d.auth.Require(codegrant.InGroup("analysts"))(reportsBackend()))
	return mux
}

// page is what every template is given.
type page struct {
	Title    string
	Identity *codegrant.Identity
	PoolURL  string
	Data     any
}

func (s *site) render(w http.ResponseWriter, r *http.Request, name, title string, data any) {
	id, _ := codegrant.From(r.Context())
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", sitePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	if err := siteTemplates.ExecuteTemplate(w, name, page{title, id, s.poolAt, data}); err != nil {
		http.Error(w, "The page could not be shown.", http.StatusInternalServerError)
	}
}

func (s *site) home(w http.ResponseWriter, r *http.Request) {
	id, _ := codegrant.From(r.Context())
	groups := []string{"admins", "analysts", "editors"}
	type toggle struct {
		Group  string
		Member bool
	}
	var toggles []toggle
	for _, g := range groups {
		toggles = append(toggles, toggle{g, id.InGroup(g)})
	}
	s.render(w, r, "home.html", "Home", struct {
		Toggles []toggle
		Curl    string
	}{toggles, "curl -i " + s.baseURL + "/auth/user"})
}

// changeGroups does what an administrator would do in the AWS console: it
// changes the pool, not the replica. Marking the person's sessions stale has
// their next request fetch new tokens, and the replica follows.
func (s *site) changeGroups(w http.ResponseWriter, r *http.Request) {
	id, _ := codegrant.From(r.Context())
	group := r.PostFormValue("group")
	change := s.pool.AddToGroup
	if r.PostFormValue("action") == "leave" {
		change = s.pool.RemoveFromGroup
	}
	if err := change(s.poolID, id.Username, group); err != nil {
		http.Error(w, "The pool refused: "+err.Error(), http.StatusBadRequest)
		return
	}
	// A session is bound to issuer and client, the pool as the store knows it.
	if _, err := s.sessions.MarkStale(r.Context(), s.issuer+" "+id.ClientID, id.Subject); err != nil {
		http.Error(w, "The sessions could not be marked: "+err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *site) replica(w http.ResponseWriter, r *http.Request) {
	users, err := s.users.Users(r.Context(), replica.UserQuery{Issuer: s.issuer, Limit: 50})
	if err != nil {
		http.Error(w, "The replica could not be read: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	s.render(w, r, "replica.html", "Replica", struct {
		Users   []replica.User
		Changes []changeEntry
	}{users.Users, s.changes.latest()})
}

// ordersBackend stands for a service of its own: all it shares with the site is
// the userbase.
func ordersBackend() http.Handler {
	return backend("Orders", "members of admins or editors", []map[string]any{
		{"order": "A-1001", "item": "Desk lamp", "status": "shipped"},
		{"order": "A-1002", "item": "Bookshelf", "status": "packed"},
		{"order": "A-1003", "item": "Chair", "status": "paid"},
	})
}

func reportsBackend() http.Handler {
	return backend("Reports", "members of analysts", []map[string]any{
		{"report": "Revenue", "quarter": "Q3", "value": "184,200"},
		{"report": "Returns", "quarter": "Q3", "value": "2.1 %"},
	})
}

// backend answers with JSON, and with a page around the same JSON to a browser
// that a person looks at.
func backend(name, audience string, rows []map[string]any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		body, err := json.MarshalIndent(map[string]any{
			"backend": strings.ToLower(name), "user": id.Username, "groups": id.Groups, "items": rows,
		}, "", "  ")
		if err != nil {
			http.Error(w, "The answer could not be made.", http.StatusInternalServerError)
			return
		}
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(append(body, '\n'))
			return
		}
		(&site{}).render(w, r, "backend.html", name, struct{ Name, Audience, JSON string }{name, audience, string(body)})
	})
}

// changeLog keeps the replica's latest changes, to be looked at.
type changeLog struct {
	mu      sync.Mutex
	entries []changeEntry
}

type changeEntry struct {
	At   time.Time
	User string
	What []string
}

const keptChanges = 12

func newChangeLog() *changeLog { return &changeLog{} }

// record is called inside the replica's transaction: a real application would
// bring its own tables in line here, through tx.
func (l *changeLog) record(_ context.Context, _ *sql.Tx, c replica.Change) error {
	e := changeEntry{At: time.Now(), User: c.User.Email}
	if c.Created {
		e.What = append(e.What, "user created")
	} else if len(c.Fields) > 0 {
		e.What = append(e.What, "changed: "+strings.Join(c.Fields, ", "))
	}
	for _, g := range c.GroupsAdded {
		e.What = append(e.What, "joined "+g)
	}
	for _, g := range c.GroupsRemoved {
		e.What = append(e.What, "left "+g)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append([]changeEntry{e}, l.entries[:min(len(l.entries), keptChanges-1)]...)
	return nil
}

func (l *changeLog) latest() []changeEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

func ago(t time.Time) string {
	switch d := time.Since(t).Round(time.Second); {
	case t.IsZero():
		return "never"
	case d < 2*time.Second:
		return "just now"
	case d < time.Minute:
		return d.String() + " ago"
	default:
		return d.Round(time.Minute).String()[:len(d.Round(time.Minute).String())-2] + " ago"
	}
}
