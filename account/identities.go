package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/replica"
)

const identitiesPath = "/identities"

// byThePerson is who has linked an identity, as the replica and the log say it.
const byThePerson = "the person"

// own returns what the replica knows of the person: the identity of the session, and all
// of them. It has answered the request itself where it reports false.
func (p *Pages) own(v *visit) (here replica.User, all []replica.User, ok bool) {
	here, err := p.people.UserBySubject(v.r.Context(), v.id.Issuer, v.id.Subject)
	if err == nil {
		all, err = p.people.Identities(v.r.Context(), here.Person())
	}
	switch {
	case errors.Is(err, replica.ErrNotFound): // erased, say; the next sign-in makes somebody new of them
		p.log(v, slog.LevelInfo, "account pages of somebody whom the replica does not know")
		p.stop(v, http.StatusForbidden, notKnownYet)
		return replica.User{}, nil, false
	case err != nil:
		p.away(v, fmt.Errorf("list the person's identities: %w", err))
		return replica.User{}, nil, false
	}
	return here, all, true
}

// isOwnIssuer reports whether sessions of an identity can be ended from here.
func (p *Pages) isOwnIssuer(u replica.User) bool { return u.Issuer == p.Auth.Endpoints().Issuer }

// separable reports whether the person can sign in without an identity that is linked to them.
func (p *Pages) separable(u replica.User, all []replica.User) bool {
	return u.LinkedTo != 0 && p.isOwnIssuer(u) && replica.StaysWithout(all, u)
}

func (p *Pages) showIdentities(v *visit, why string) {
	here, all, ok := p.own(v)
	if !ok {
		return
	}
	list := pages.Section{Message: v.say(identitiesAre)}
	for _, u := range all {
		if !u.Deleted.IsZero() {
			continue
		}
		i := v.identity(u)
		if u.ID == here.ID {
			i.Tag = v.say(usedNow)
		}
		if p.separable(u, all) {
			i.Links = []pages.Link{{URL: p.home + identitiesPath + "?separate=" + strconv.FormatInt(u.ID, 10), Text: v.say(toSeparate), For: i.Title}}
		}
		list.Items = append(list.Items, i)
	}
	sections := []pages.Section{list}
	query := v.r.URL.Query()
	other, err := p.other(v, here)
	if err != nil {
		p.away(v, err)
		return
	}
	switch {
	case v.form != nil:
	case other != nil && other.fault == "":
		sections = append([]pages.Section{p.question(v, other.User)}, sections...)
	case other != nil:
		p.Auth.ForgetProven(v.w)
		sections[0].Fault = v.say(other.fault)
	case query.Get("proven") == "old":
		sections[0].Fault = v.say(notAskedAnew)
	case query.Get("proven") == "denied":
		sections[0].Fault = v.say(notProvenNow)
	default:
		i := slices.IndexFunc(all, func(u replica.User) bool { return strconv.FormatInt(u.ID, 10) == query.Get("separate") })
		if i >= 0 && p.separable(all[i], all) {
			sections = append([]pages.Section{p.separation(v, all[i])}, sections...)
		}
	}
	if len(sections) == 1 {
		// A link, since browsers hold each redirect after a form to the page's form-action, and
		// where the pool leads on to is not known here.
		sections = append(sections, pages.Section{Title: v.say(linkAnother), Message: v.say(linkingIs), Links: []pages.Link{{
			URL: p.home + identitiesPath + "?do=begin", Text: v.say(signInWithIt),
		}}})
	}
	p.show(v, yourIdentities, why, sections...)
}

// identity is one as people see it.
func (v *visit) identity(u replica.User) pages.Item {
	i := pages.Item{Title: cmp.Or(u.Email, u.Name, u.Username)}
	if by := providerOf(u); by != "" {
		i.Lines = append(i.Lines, by)
	} else if u.Username != i.Title && u.Username != u.Subject {
		i.Lines = append(i.Lines, u.Username)
	}
	if !u.Enabled {
		i.Lines = append(i.Lines, v.say(isDisabled))
	}
	return i
}

// providerOf is the identity provider that an identity comes from; empty: the pool itself.
func providerOf(u replica.User) string {
	pool := u.Issuer[strings.LastIndexByte(u.Issuer, '/')+1:]
	for _, m := range u.Groups {
		if name, ok := strings.CutPrefix(m.Name, pool+"_"); ok && m.Origin == replica.OriginProvider {
			return name
		}
	}
	return ""
}

// proven is an identity that the person has proven beside their own.
type proven struct {
	replica.User                  // as it will be when the replica has heard of the proof; ID 0: it knows nobody yet
	told         replica.Snapshot // what the proof says of it
	all          []replica.User   // of the person whose it is now
	fault        text             // what keeps it from being linked; empty: nothing
}

// other returns what the person has proven; nil: nothing.
func (p *Pages) other(v *visit, here replica.User) (*proven, error) {
	proof, ok, err := p.Auth.Proven(v.r)
	if !ok {
		return nil, err
	}
	ctx, o := v.r.Context(), &proven{told: proof.Snapshot}
	stored, err := p.known(ctx, proof.Issuer, proof.Subject)
	if err != nil {
		return nil, err
	}
	if stored == nil && proof.UserID != 0 || proof.Snapshot.Validate() != nil { // they were erased since
		o.fault = notLinked
		return o, nil
	}
	o.User = replica.Decide(replica.Mirror, stored, proof.Snapshot, p.Now()).User
	person := o.Person()
	if of := replica.FirstOf(stored, proof.Snapshot); of != nil { // whose the application says that it is
		named, err := p.known(ctx, of.Issuer, of.Subject)
		if err != nil {
			return nil, err
		}
		if named != nil {
			person = named.Person()
		}
	}
	if person != 0 {
		if o.all, err = p.people.Identities(ctx, person); err != nil {
			return nil, err
		}
	}
	switch {
	case stored != nil && stored.Person() == here.Person():
		o.fault = isYours
	case person != here.Person() && slices.ContainsFunc(o.all, func(u replica.User) bool {
		return u.ID != o.ID && u.Deleted.IsZero() && u.Issuer != p.Auth.OldIssuer()
	}):
		o.fault = isOfAnother
	case !o.Enabled || !o.Deleted.IsZero():
		o.fault = otherDisabled
	}
	return o, nil
}

// known returns what the replica knows of an identity; nil: nothing.
func (p *Pages) known(ctx context.Context, issuer, subject string) (*replica.User, error) {
	u, err := p.people.UserBySubject(ctx, issuer, subject)
	switch {
	case errors.Is(err, replica.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &u, nil
}

// away answers where something does not answer that has to.
func (p *Pages) away(v *visit, err error) {
	p.Auth.Refuse(v.w, v.r, v.id, fmt.Errorf("%w: %w", codegrant.ErrUnavailable, err))
}

// question asks whether an identity is to be linked.
func (p *Pages) question(v *visit, other replica.User) pages.Section {
	sub := pages.Field{Name: "sub", Value: other.Subject}
	return pages.Section{
		Title: v.say(linkThis), Message: v.say(linkMeans), Items: []pages.Item{v.identity(other)},
		Forms: []pages.Form{
			{URL: p.home + identitiesPath, Text: v.say(toLink), Fields: []pages.Field{{Name: "do", Value: "confirm"}, sub}},
			{URL: p.home + identitiesPath, Text: v.say(toCancel), Fields: []pages.Field{{Name: "do", Value: "cancel"}}, Quiet: true},
		},
	}
}

// separation asks whether an identity is to be unlinked.
func (p *Pages) separation(v *visit, u replica.User) pages.Section {
	return pages.Section{
		Title: v.say(separateThis), Message: v.say(separateMeans), Items: []pages.Item{v.identity(u)},
		Forms: []pages.Form{{URL: p.home + identitiesPath, Text: v.say(toSeparate), Fields: []pages.Field{
			{Name: "do", Value: "separate"}, {Name: "row", Value: strconv.FormatInt(u.ID, 10)},
		}}},
		Links: []pages.Link{{URL: p.home + identitiesPath, Text: v.say(toCancel)}},
	}
}

// askIdentities shows the identities, or follows the page's link to the pool. No other site
// can have a browser follow it.
func (p *Pages) askIdentities(v *visit) {
	if v.r.Method != http.MethodGet || v.r.URL.Query().Get("do") != "begin" || !pages.Navigates(v.r) || !p.fromHere(v.r) {
		p.showIdentities(v, "")
		return
	}
	if p.may(v, change) {
		p.Auth.ProveAnother(v.w, v.r, "", p.home+identitiesPath)
	}
}

// fromHere reports whether a page of this origin, or the person, has had the browser ask. Browsers
// say so over https and on this machine. Where they do not, it is by a Referer.
func (p *Pages) fromHere(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin" || site == "none"
	}
	from, err := url.Parse(r.Referer())
	return err == nil && strings.EqualFold(from.Scheme+"://"+from.Host, p.Auth.Origin())
}

func (p *Pages) changeIdentities(v *visit) {
	if !p.may(v, change) {
		return
	}
	switch v.form.Get("do") {
	case "begin":
		p.Auth.ProveAnother(v.w, v.r, "", p.home+identitiesPath)
	case "confirm":
		p.link(v)
	case "separate":
		p.unlink(v)
	case "cancel":
		p.Auth.ForgetProven(v.w)
		p.done(v, identitiesPath, "nothing")
	default:
		p.Auth.Answer(v.w, v.r, http.StatusBadRequest, nil)
	}
}

// link makes the proven identity one of the person.
func (p *Pages) link(v *visit) {
	here, _, ok := p.own(v)
	if !ok {
		return
	}
	other, err := p.other(v, here)
	var fault text
	switch {
	case err != nil:
		p.away(v, err)
		return
	case other == nil:
		fault = proofEnded
	case other.fault != "":
		fault = other.fault
	case v.form.Get("sub") != other.Subject:
		fault = anotherProven // in another tab
	}
	if fault != "" {
		if fault != anotherProven {
			p.Auth.ForgetProven(v.w)
		}
		p.showIdentities(v, v.say(fault))
		return
	}
	ctx := context.WithoutCancel(v.r.Context())
	told, err := p.linkTo(ctx, here.Person(), other)
	switch {
	case errors.Is(err, replica.ErrConflict), errors.Is(err, replica.ErrNotFound), errors.Is(err, replica.ErrInvalid):
		p.Auth.ForgetProven(v.w)
		p.log(v, slog.LevelInfo, "identity not linked", slog.String("reason", err.Error()))
		p.showIdentities(v, v.say(notLinked))
		return
	case err != nil:
		p.away(v, err)
		return
	}
	p.Auth.ForgetProven(v.w)
	from := cmp.Or(other.Person(), told.User.ID)
	p.log(v, slog.LevelInfo, "audit", slog.String("event", "merged"), slog.Int64("from", from), slog.Int64("into", here.Person()), slog.String("by", byThePerson))
	ended := p.endIdentity(v, other.User)
	for _, u := range other.all { // what comes along of the old pool
		if u.ID != other.ID && u.Person() != here.Person() {
			ended = errors.Join(ended, p.endIdentity(v, u))
		}
	}
	p.done(v, identitiesPath, outcomeOf("linked", ended))
}

// linkTo has the replica hear of the proof, and links the identity.
func (p *Pages) linkTo(ctx context.Context, person int64, other *proven) (replica.Change, error) {
	heard, err := p.people.Apply(ctx, other.told)
	if err != nil || heard.User.Person() == person { // the application has said so
		return heard, err
	}
	return p.people.Link(ctx, heard.User.ID, person, byThePerson, p.along()...)
}

// along are the issuers whose identities sign nobody in any more.
func (p *Pages) along() []string {
	if old := p.Auth.OldIssuer(); old != "" {
		return []string{old}
	}
	return nil
}

// unlink makes an identity a person of its own.
func (p *Pages) unlink(v *visit) {
	_, all, ok := p.own(v)
	if !ok {
		return
	}
	i := slices.IndexFunc(all, func(u replica.User) bool {
		return strconv.FormatInt(u.ID, 10) == v.form.Get("row") && u.LinkedTo != 0 && p.isOwnIssuer(u)
	})
	if i < 0 {
		p.showIdentities(v, v.say(notYours))
		return
	}
	told, err := p.people.Separate(context.WithoutCancel(v.r.Context()), all[i].ID)
	if errors.Is(err, replica.ErrConflict) {
		p.showIdentities(v, v.say(onlyWayIn))
		return
	}
	if err != nil && !errors.Is(err, replica.ErrNotFound) {
		p.away(v, err)
		return
	}
	if err == nil && !told.Empty() {
		p.log(v, slog.LevelInfo, "audit", slog.String("event", "unlinked"), slog.Int64("identity", all[i].ID), slog.Int64("person", all[i].LinkedTo), slog.String("by", byThePerson))
	}
	p.done(v, identitiesPath, outcomeOf("separated", p.endIdentity(v, all[i])))
}

// endIdentity ends the sessions that know whom an identity was of.
func (p *Pages) endIdentity(v *visit, u replica.User) error {
	err := p.Auth.EndIdentity(v.r.Context(), u.Subject)
	if err != nil {
		p.log(v, slog.LevelError, "sessions of an identity not ended", slog.String("identity", u.Subject), slog.String("reason", err.Error()))
	}
	return err
}

// outcomeOf is what the page is told: sessions that were not ended may go on.
func outcomeOf(done string, ended error) string {
	if ended != nil {
		return done + "_not_everywhere"
	}
	return done
}
