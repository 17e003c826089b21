package organization

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/internal/returnto"
	"github.com/codegrant/codegrant/replica"
)

// member is one as programs get it.
type member struct {
	Person   int64     `json:"id"`
	Username string    `json:"username,omitempty"`
	Email    string    `json:"email,omitempty"`
	Name     string    `json:"name,omitempty"`
	Role     string    `json:"role"`
	Since    time.Time `json:"since"`
}

type waitingInvitation struct {
	ID      string    `json:"id"`
	Email   string    `json:"email"`
	Role    string    `json:"role"`
	Expires time.Time `json:"expires"`
}

func (p *Pages) members(v *visit) { p.showMembers(v, "") }

func (p *Pages) showMembers(v *visit, why string) {
	after, _ := strconv.ParseInt(v.r.URL.Query().Get("after"), 10, 64)
	found, err := p.Store.Members(v.r.Context(), v.id.Organization.ID, after)
	var open []Invitation
	if err == nil {
		open, err = p.Store.Invitations(v.r.Context(), v.id.Organization.ID)
	}
	all := []member{}
	for i := 0; err == nil && i < len(found); i++ {
		m := found[i]
		var u replica.User
		if u, err = p.People.User(v.r.Context(), m.Person); errors.Is(err, replica.ErrNotFound) {
			err = nil // whose row is gone
		}
		all = append(all, member{m.Person, u.Username, u.Email, u.Name, m.Role, m.Since})
	}
	if err != nil {
		p.failed(v, err, nil)
		return
	}
	more := ""
	if len(found) == page {
		more = strconv.FormatInt(found[page-1].Person, 10)
	}
	if !pages.Navigates(v.r) {
		list := struct {
			Members     []member            `json:"members"`
			Next        string              `json:"next,omitempty"` // value of after
			Invitations []waitingInvitation `json:"invitations"`
		}{all, more, []waitingInvitation{}}
		for _, i := range open {
			list.Invitations = append(list.Invitations, waitingInvitation{i.ID, i.Email, i.Role, i.Expires})
		}
		writeJSON(v.w, list)
		return
	}
	p.showMembersPage(v, why, all, more, open)
}

func (p *Pages) showMembersPage(v *visit, why string, all []member, more string, open []Invitation) {
	at := p.home + "/members"
	in := pages.Field{Name: "in", Value: v.id.Organization.ID}
	form := func(t text, about string, fields ...pages.Field) pages.Form {
		return pages.Form{URL: at, Text: v.say(t), For: about, Quiet: true, Fields: append(fields, in)}
	}
	people := pages.Section{}
	for _, m := range all {
		shown := cmp.Or(m.Name, m.Email, m.Username, strconv.FormatInt(m.Person, 10))
		item := pages.Item{Title: shown, Lines: []string{v.say(yourRole, m.Role)}}
		if m.Email != "" && m.Email != shown {
			item.Lines = append(item.Lines, m.Email)
		}
		id := strconv.FormatInt(m.Person, 10)
		for _, role := range p.Store.Roles {
			if role != m.Role {
				change := form(changeRole, shown, pages.Field{Name: "member", Value: id}, pages.Field{Name: "role", Value: role})
				change.Text += ": " + role
				item.Forms = append(item.Forms, change)
			}
		}
		item.Forms = append(item.Forms, form(toRemove, shown, pages.Field{Name: "remove", Value: id}))
		people.Items = append(people.Items, item)
	}
	if more != "" {
		people.Links = []pages.Link{{URL: at + "?after=" + more, Text: v.say(moreMembers)}}
	}
	sections := []pages.Section{people}
	if p.Send != nil {
		invite := pages.Section{Title: v.say(inviteSomebody)}
		for _, role := range slices.Backward(p.Store.Roles) {
			one := pages.Form{URL: at, Text: v.say(toInvite) + ": " + role, Quiet: role == p.Store.Manager(), Fields: []pages.Field{{Name: "role", Value: role}, in}, Inputs: []pages.Input{
				{Name: "invite", Label: v.say(yourEmail), Type: "email", Complete: "off", Mode: "email", Most: 254, Needed: true},
			}}
			invite.Forms = append(invite.Forms, one)
		}
		sections = append(sections, invite)
	}
	if len(open) > 0 {
		s := pages.Section{Title: v.say(waiting)}
		for _, i := range open {
			until := v.say(acceptUntil, i.Expires)
			if !p.Store.Now().Before(i.Expires) {
				until = v.say(hasExpired)
			}
			item := pages.Item{Title: i.Email, Lines: []string{v.say(yourRole, i.Role), until}}
			if p.Send != nil {
				item.Forms = append(item.Forms, form(sendAgain, i.Email, pages.Field{Name: "resend", Value: i.ID}))
			}
			item.Forms = append(item.Forms, form(takeBack, i.Email, pages.Field{Name: "revoke", Value: i.ID}))
			s.Items = append(s.Items, item)
		}
		sections = append(sections, s)
	}
	sections = append(sections, pages.Section{Links: []pages.Link{{URL: p.home, Text: v.say(backToOrganizations)}}})
	p.show(v, v.say(membersOf, v.id.Organization.Name), why, sections...)
}

// changeMembers does what a manager asks for: one of invite, resend, revoke, remove and
// member, the last with role. The field in says which organization the page was of.
func (p *Pages) changeMembers(v *visit) {
	o := v.id.Organization.ID
	value := func(name string) string { return v.form.Get(name) }
	if in := value("in"); in != "" && in != o {
		// The page is of an organization that the session does not act for any more.
		p.Auth.Answer(v.w, v.r, http.StatusConflict, nil)
		return
	}
	var asked []string
	for _, name := range []string{"invite", "resend", "revoke", "remove", "member"} {
		if len(v.form[name]) == 1 {
			asked = append(asked, name)
		}
	}
	if len(asked) != 1 {
		p.Auth.Answer(v.w, v.r, http.StatusBadRequest, nil)
		return
	}
	var err error
	outcome := ""
	switch what := asked[0]; what {
	case "invite", "resend":
		p.send(v, what)
		return
	case "revoke":
		outcome, err = "revoked", p.Store.as(v.id).Revoke(v.asked(), o, value(what), by(v.id))
	default:
		person, _ := strconv.ParseInt(value(what), 10, 64)
		if what == "remove" {
			outcome, err = "removed", p.Store.as(v.id).Remove(v.asked(), o, person, by(v.id))
			break
		}
		// Here nobody is made a member who was not invited.
		outcome, err = "role", p.Store.as(v.id).Change(v.asked(), o, person, value("role"), by(v.id))
	}
	if err != nil {
		p.failed(v, err, p.showMembers)
		return
	}
	p.log(v, "organization changed", slog.String("organization", o), slog.String("what", outcome))
	if outcome != "revoked" {
		// A person who has just given up their own role no longer sees the members.
		if now, err := p.Store.Active(v.r.Context(), v.id); err == nil && (now == nil || now.ID != o || now.Role != p.Store.Manager()) {
			p.done(v, "", outcome, p.overview)
			return
		}
	}
	p.done(v, "/members", outcome, p.members)
}

// send invites, or invites again, and has the invitation sent.
func (p *Pages) send(v *visit, what string) {
	o := v.id.Organization
	if p.Send == nil {
		p.Auth.Answer(v.w, v.r, http.StatusNotFound, nil)
		return
	}
	var i Invitation
	var token string
	var err error
	if what == "invite" {
		i, token, err = p.Store.as(v.id).Invite(v.asked(), o.ID, v.form.Get("invite"), v.form.Get("role"), by(v.id))
	} else {
		i, token, err = p.Store.as(v.id).Resend(v.asked(), o.ID, v.form.Get("resend"), by(v.id))
	}
	if err != nil {
		p.failed(v, err, p.showMembers)
		return
	}
	p.log(v, "invited to an organization", slog.String("organization", o.ID), slog.String("invitation", i.ID))
	if err := p.Send(v.asked(), newMail(v.say, pages.LanguageOf(v.r), i, o.Name, p.Link(token))); err != nil {
		p.Logger.LogAttrs(v.r.Context(), slog.LevelWarn, "invitation not sent", slog.String("invitation", i.ID), slog.String("reason", err.Error()))
		if !pages.Navigates(v.r) {
			p.Auth.Answer(v.w, v.r, http.StatusBadGateway, nil)
			return
		}
		p.showMembers(v, v.say(notSent))
		return
	}
	p.done(v, "/members", "sent", p.members)
}

// NewMail is the mail of an invitation to an organization, in a language of the pages, such
// as de; in English for any other. url is what [Link] returns.
func NewMail(language string, i Invitation, organization, url string) Mail {
	asks := &http.Request{Header: http.Header{"Accept-Language": {language}}}
	return newMail((&visit{r: asks}).say, pages.LanguageOf(asks), i, organization, url)
}

// newMail says it in the language of whoever invites: which one the invited person reads is
// not known.
func newMail(say func(text, ...any) string, language string, i Invitation, organization, url string) Mail {
	return Mail{
		To: i.Email, Organization: organization, Role: i.Role, URL: url, Expires: i.Expires, Language: language,
		Subject: say(mailSubject, organization),
		Text: say(mailInvites, organization, i.Role) + "\n\n" + say(mailOpen) + "\n\n" + url + "\n\n" +
			say(mailUntil, i.Expires) + "\n" + say(mailIgnore) + "\n",
	}
}

// Link is where an invitation with a token is accepted.
func (p *Pages) Link(token string) string { return Link(p.Auth.Origin(), p.Prefix, token) }

// Link is where an invitation with a token is accepted, on the site of an origin.
func Link(origin, prefix, token string) string {
	return origin + "/" + trimmed(prefix) + "organization/invitation?" + url.Values{"token": {token}}.Encode()
}

func trimmed(prefix string) string {
	for len(prefix) > 0 && prefix[0] == '/' {
		prefix = prefix[1:]
	}
	for len(prefix) > 0 && prefix[len(prefix)-1] == '/' {
		prefix = prefix[:len(prefix)-1]
	}
	if prefix == "" {
		return ""
	}
	return prefix + "/"
}

// invitation shows what somebody is invited to, also to people who are not signed in.
func (p *Pages) invitation(v *visit) { p.showInvitation(v, v.r.URL.Query().Get("token"), "") }

func (p *Pages) showInvitation(v *visit, token, why string) {
	i, o, err := p.Store.Invited(v.r.Context(), token)
	if errors.Is(err, ErrInvitation) {
		p.gone(v)
		return
	}
	if err != nil {
		p.failed(v, err, nil)
		return
	}
	here := p.home + "/invitation?" + url.Values{"token": {token}}.Encode()
	login := func(more url.Values) string {
		more.Set("redirect_uri", here)
		more.Set("login_hint", i.Email)
		return p.Prefix + "/login?" + more.Encode()
	}
	s := pages.Section{}
	switch {
	case v.id == nil:
		s.Message = v.say(signInFirst, i.Email)
		s.Links = []pages.Link{{URL: login(url.Values{}), Text: v.say(toSignIn)}}
		if p.CreateUser != nil {
			s.Message = v.say(signInOrAsk, i.Email)
			s.Links[0].Text = v.say(toSignInAlone)
			s.Forms = []pages.Form{{URL: p.home + "/invitation", Text: v.say(toCreate), Quiet: true, Fields: []pages.Field{{Name: "token", Value: token}, {Name: "account", Value: "new"}}}}
		}
		if v.r.URL.Query().Get("account") == "made" && p.CreateUser != nil {
			s.Message, s.Forms = v.say(accountMade, i.Email), nil
		}
	case !v.id.EmailVerified || lower(v.id.Email) != i.Email || v.id.Actor != nil:
		s.Message = v.say(otherAddress, i.Email)
		s.Links = []pages.Link{{URL: login(url.Values{"prompt": {"login"}}), Text: v.say(otherAccount)}}
	default:
		s.Message = v.say(yourRole, i.Role)
		s.Forms = []pages.Form{{URL: p.home + "/invitation", Text: v.say(toJoin), Fields: []pages.Field{{Name: "token", Value: token}}}}
	}
	v.secret = true
	p.show(v, v.say(invitedTo, o.Name), why, s)
}

// gone says that an invitation is worth nothing.
func (p *Pages) gone(v *visit) {
	if !pages.Navigates(v.r) {
		p.Auth.Answer(v.w, v.r, http.StatusGone, nil)
		return
	}
	view := pages.Account{Title: v.say(notGood), Links: []pages.Link{{URL: "/", Text: v.say(toStart)}}}
	pages.Render(v.w, v.r, http.StatusGone, view)
}

// createUser has a user of the pool made for whoever has the token of an invitation. The answer
// does not say whether there was one.
func (p *Pages) createUser(v *visit, token string) {
	i, o, err := p.Store.Invited(v.r.Context(), token)
	if errors.Is(err, ErrInvitation) {
		p.gone(v)
		return
	}
	if err == nil {
		err = p.CreateUser(v.asked(), i.Email)
	}
	if err != nil {
		p.Logger.LogAttrs(v.r.Context(), slog.LevelWarn, "no account for an invitation", slog.String("invitation", i.ID), slog.String("reason", err.Error()))
		switch {
		case errors.Is(err, ErrTooOften):
			p.Auth.Answer(v.w, v.r, http.StatusTooManyRequests, nil)
		case errors.Is(err, ErrNoUser) && pages.Navigates(v.r):
			p.showInvitation(v, token, v.say(noUser))
		case errors.Is(err, ErrNoUser):
			p.Auth.Answer(v.w, v.r, http.StatusUnprocessableEntity, nil)
		default:
			p.Auth.Refuse(v.w, v.r, &codegrant.Identity{}, fmt.Errorf("%w: %w", codegrant.ErrUnavailable, err))
		}
		return
	}
	p.Logger.LogAttrs(v.r.Context(), slog.LevelInfo, "an account for an invitation", slog.String("invitation", i.ID), slog.String("organization", o.ID))
	if !pages.Navigates(v.r) {
		v.w.WriteHeader(http.StatusNoContent)
		return
	}
	returnto.Redirect(v.w, p.home+"/invitation?"+url.Values{"token": {token}, "account": {"made"}}.Encode(), http.StatusSeeOther)
}

// accept makes whoever is signed in a member, and the organization the active one.
func (p *Pages) accept(v *visit) {
	token := v.form.Get("token")
	if v.id == nil && v.form.Get("account") == "new" && p.CreateUser != nil {
		p.createUser(v, token)
		return
	}
	if v.id == nil {
		p.showInvitation(v, token, "")
		return
	}
	if ok, _ := ofTheirOwn.Check(v.r.Context(), v.id, v.r); !ok {
		p.Auth.Answer(v.w, v.r, http.StatusForbidden, nil)
		return
	}
	o, err := p.Store.Accept(v.asked(), v.id, token)
	switch {
	case errors.Is(err, ErrInvitation):
		p.gone(v)
		return
	case errors.Is(err, ErrOtherAddress):
		if pages.Navigates(v.r) {
			p.showInvitation(v, token, "")
			return
		}
		p.Auth.Answer(v.w, v.r, http.StatusForbidden, nil)
		return
	case err != nil:
		p.failed(v, err, func(v *visit, why string) { p.showInvitation(v, token, why) })
		return
	}
	p.log(v, "invitation accepted", slog.String("organization", o.ID))
	if _, err := p.Store.Choose(v.asked(), v.id, o.ID); err != nil {
		p.failed(v, err, p.showOverview)
		return
	}
	if pages.Navigates(v.r) {
		returnto.Redirect(v.w, p.home+"?done=joined", http.StatusSeeOther)
		return
	}
	p.overview(v)
}
