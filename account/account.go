package account

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/internal/returnto"
)

const (
	email = "email"
	phone = "phone_number"

	maxForm = 32 << 10
)

// visit is a request of somebody who may use the pages.
type visit struct {
	w    http.ResponseWriter
	r    *http.Request
	id   *codegrant.Identity
	form url.Values // of a POST
}

// mount makes the pages by their paths below home.
func (p *Pages) mount() {
	p.pages = map[string]http.Handler{"": p.page(p.overview, nil, false)}
	if slices.ContainsFunc(p.Attributes, func(a Attribute) bool { return a.Name != email && a.Name != phone }) {
		p.pages["/profile"] = p.page(p.showProfile, p.saveProfile, false)
	}
	for name, c := range contacts {
		if p.offers(name) {
			p.pages[c.path] = p.page(func(v *visit) { p.showContact(v, c, "") }, func(v *visit) { p.changeContact(v, c) }, true)
		}
	}
	if p.LinkIdentities {
		p.pages[identitiesPath] = p.page(p.askIdentities, p.changeIdentities, true)
	}
	for name, own := range map[Page][2]func(*visit){
		PasswordPage:      {func(v *visit) { p.showPassword(v, "") }, p.changePassword},
		AuthenticatorPage: {func(v *visit) { p.showAuthenticator(v, "") }, p.changeAuthenticator},
		PasskeysPage:      {func(v *visit) { p.showPasskeys(v, "") }, p.removePasskey},
		DeletionPage:      {func(v *visit) { p.showDeletion(v, "") }, p.deleteAccount},
	} {
		if !slices.Contains(p.Hide, name) {
			p.pages["/"+string(name)] = p.page(own[0], own[1], true)
		}
	}
}

// offers reports whether people change an attribute here.
func (p *Pages) offers(name string) bool {
	return slices.ContainsFunc(p.Attributes, func(a Attribute) bool { return a.Name == name && !a.ReadOnly })
}

// has reports whether there is a page.
func (p *Pages) has(path string) bool { return p.pages[path] != nil }

// Mount registers the pages, below the prefix of Auth.
func (p *Pages) Mount(mux *http.ServeMux) {
	mux.Handle(p.home, p)
	mux.Handle(p.home+"/", p)
}

// ServeHTTP implements [http.Handler].
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	page := p.pages[strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, p.home), "/")]
	if page == nil {
		p.Auth.Answer(w, r, http.StatusNotFound, nil)
		return
	}
	page.ServeHTTP(w, r)
}

// ofTheirOwn is who may use the pages: a token says nothing of a person in front of a
// browser, and whoever acts for somebody is somebody else.
var ofTheirOwn = codegrant.PermissionFunc("a session of one's own", func(_ context.Context, id *codegrant.Identity, _ *http.Request) (bool, error) {
	return id != nil && !id.Machine && id.Actor == nil && id.SessionID() != "" &&
		(id.Method == codegrant.MethodSession || id.Method == codegrant.MethodSharedTokens), nil
})

// page is one of the pages. recent says that people have to have signed in lately.
func (p *Pages) page(get, post func(*visit), recent bool) http.Handler {
	permissions := []codegrant.Permission{ofTheirOwn}
	if recent {
		permissions = append(permissions, codegrant.SignedInWithin(p.SignInWithin))
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		v := &visit{w: w, r: r, id: id}
		switch {
		case id.Issuer != p.Auth.Endpoints().Issuer: // the account that counts from now on is that of the pool that signs people in
			p.log(v, slog.LevelInfo, "account pages of another pool asked for")
			again := p.Prefix + "/login?" + url.Values{"prompt": {"login"}, "redirect_uri": {r.URL.Path}}.Encode()
			returnto.Redirect(w, again, http.StatusSeeOther)
		case !id.HasScope(Scope):
			p.log(v, slog.LevelWarn, "account pages without effect", slog.String("reason", "the sign-in was not asked for the scope "+Scope))
			p.stop(v, http.StatusForbidden, noScope)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			get(v)
		case post == nil:
			w.Header().Set("Allow", "GET, HEAD")
			p.Auth.Answer(w, r, http.StatusMethodNotAllowed, nil)
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if err := r.ParseForm(); err != nil {
				p.Auth.Answer(w, r, http.StatusBadRequest, nil)
				return
			}
			v.form = r.PostForm
			post(v)
		}
	})
	if p.Auth == nil {
		return handler // of a configuration that is checked, and serves nobody
	}
	guarded := p.Auth.Require(permissions...)(handler)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodPost:
		default:
			w.Header().Set("Allow", "GET, HEAD, POST")
			p.Auth.Answer(w, r, http.StatusMethodNotAllowed, nil)
			return
		}
		if err := p.Auth.CheckOrigin(r); err != nil { // also where the application looks after that
			p.Auth.Refuse(w, r, &codegrant.Identity{}, err)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// stop answers that nothing can be done here before the person signs in again.
func (p *Pages) stop(v *visit, status int, why text) {
	again := p.Prefix + "/login?" + url.Values{"prompt": {"login"}, "redirect_uri": {v.r.URL.Path}}.Encode()
	pages.Render(v.w, v.r, status, pages.Account{
		Title: v.say(cannotChange), Message: v.say(why), SignedInAs: cmp.Or(v.id.Email, v.id.Username),
		Links: []pages.Link{{URL: again, Text: v.say(signInAgain)}, {URL: "/", Text: v.say(toStart)}},
	})
}

// show renders a page below the first one. why is what kept something from being done.
func (p *Pages) show(v *visit, title text, why string, sections ...pages.Section) {
	status := http.StatusOK
	if why != "" {
		status = http.StatusUnprocessableEntity
		sections[0].Fault = why
	}
	view := pages.Account{Title: v.say(title), SignedInAs: cmp.Or(v.id.Email, v.id.Username), Sections: sections, Refers: title == yourIdentities}
	if title == yourAccount {
		view.Links = []pages.Link{{URL: "/", Text: v.say(toStart)}}
	} else { // beside a button that does something, no other one
		view.Sections = append(view.Sections, pages.Section{Links: []pages.Link{{URL: p.home, Text: v.say(backToAccount)}}})
	}
	if done, ok := outcomes[v.r.URL.Query().Get("done")]; ok && v.form == nil {
		view.Done = v.say(done)
		if done == passwordChanged {
			last := &view.Sections[len(view.Sections)-1]
			last.Links = append(last.Links, pages.Link{URL: p.Prefix + "/sessions", Text: v.say(showSessions)})
		}
	}
	pages.Render(v.w, v.r, status, view)
}

// outcomes are what a page can be told in its query to have been done.
var outcomes = map[string]text{
	"saved": hasBeenSaved, "nothing": nothingChanged, "sent": codeSent, "confirmed": isConfirmedNow, "password": passwordChanged,
	"on": isTurnedOn, "off": isTurnedOff, "removed": isRemoved,
	"linked": isLinked, "separated": isSeparated, "linked_not_everywhere": isLinkedHere, "separated_not_everywhere": isSeparatedHere,
}

// done leads to a page that says what was done, so that a reload does not do it again.
func (p *Pages) done(v *visit, path, outcome string) {
	returnto.Redirect(v.w, p.home+path+"?done="+outcome, http.StatusSeeOther)
}

// may counts an attempt, and answers where there were too many.
func (p *Pages) may(v *visit, k kind) bool {
	wait := p.attempts.take(v.id.Issuer+" "+v.id.Subject, k)
	if wait == 0 {
		return true
	}
	p.log(v, slog.LevelWarn, "account attempts refused")
	v.w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	pages.Render(v.w, v.r, http.StatusTooManyRequests, pages.Account{
		Title: v.say(yourAccount), SignedInAs: cmp.Or(v.id.Email, v.id.Username), Sections: []pages.Section{{Fault: v.say(waitMinutes, (wait + time.Minute - 1).Truncate(time.Minute))}},
		Links: []pages.Link{{URL: p.home, Text: v.say(backToAccount)}},
	})
	return false
}

// call asks the pool in the name of the person.
func (p *Pages) call(v *visit, operation string, in map[string]any, out any) error {
	token := v.id.AccessToken()
	if token == "" {
		return errors.New("the session has no access token that can be opened")
	}
	in["AccessToken"] = token
	ctx := v.r.Context()
	if v.form != nil {
		ctx = context.WithoutCancel(ctx) // what was asked for is done, whatever becomes of the connection
	}
	return p.client.Call(ctx, operation, in, out)
}

// log writes of an event, never with a value.
func (p *Pages) log(v *visit, level slog.Level, event string, more ...slog.Attr) {
	p.Logger.LogAttrs(v.r.Context(), level, event, append([]slog.Attr{slog.String("sub", v.id.Subject), slog.String("path", v.r.URL.Path)}, more...)...)
}

// changed says in the log what was changed, and has the person's sessions renewed where
// their tokens say it.
func (p *Pages) changed(v *visit, what string, inTokens bool) {
	p.log(v, slog.LevelInfo, "account changed", slog.String("what", what))
	if !inTokens {
		return
	}
	if err := p.Auth.Renew(context.WithoutCancel(v.r.Context()), v.id.Subject); err != nil {
		p.log(v, slog.LevelWarn, "sessions not renewed", slog.String("reason", err.Error()))
	}
}

// user is what the pool knows of a person.
type user struct {
	Username           string
	UserAttributes     []struct{ Name, Value string }
	UserMFASettingList []string
}

func (u user) value(name string) string {
	for _, a := range u.UserAttributes {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// user asks the pool. It has answered the request itself where it reports false.
func (p *Pages) user(v *visit) (u user, ok bool) {
	err := p.call(v, "GetUser", map[string]any{}, &u)
	if err == nil {
		return u, true
	}
	var e *cognito.APIError
	if why, ok := p.failed(v, err); ok && errors.As(err, &e) {
		p.show(v, yourAccount, why, pages.Section{})
	}
	return u, false
}
