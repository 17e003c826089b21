package account

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/replica"
)

func (p *Pages) showDeletion(v *visit, why string) {
	s := pages.Section{Message: v.say(deletionMeans), Forms: []pages.Form{{
		URL: p.home + "/delete", Text: v.say(deleteAccount),
		Inputs: []pages.Input{{Name: "sure", Type: "checkbox", Value: "yes", Label: v.say(deletionIsMine), Needed: true}},
	}}}
	others, err := p.others(v)
	if err != nil {
		p.away(v, err)
		return
	}
	if len(others) > 0 {
		s.Message = v.say(othersKeepIt)
	}
	for _, u := range others {
		s.Items = append(s.Items, v.identity(u))
	}
	p.show(v, deleteAccount, why, s)
}

// others are the identities that the person can sign in with beside the one of the session.
// To delete that one deletes none of them.
func (p *Pages) others(v *visit) ([]replica.User, error) {
	lister, ok := p.Replica.(replica.IdentityLister)
	if !ok {
		return nil, nil // a person is an identity
	}
	here, err := p.Replica.UserBySubject(v.r.Context(), v.id.Issuer, v.id.Subject)
	if errors.Is(err, replica.ErrNotFound) {
		return nil, nil
	}
	var all []replica.User
	if err == nil {
		all, err = lister.Identities(v.r.Context(), here.Person())
	}
	return slices.DeleteFunc(all, func(u replica.User) bool {
		return u.ID == here.ID || !u.Enabled || !u.Deleted.IsZero() || u.Issuer == p.Auth.OldIssuer()
	}), err
}

// deleteAccount has the pool delete the person, and ends what they have here.
func (p *Pages) deleteAccount(v *visit) {
	if v.form.Get("sure") != "yes" {
		p.showDeletion(v, v.say(sayThatYouKnow))
		return
	}
	if !p.may(v, change) {
		return
	}
	err := p.call(v, "DeleteUser", map[string]any{}, nil)
	var e *cognito.APIError
	if errors.As(err, &e) && e.Code == "UserNotFoundException" {
		err = nil // by another click, say; what follows can be repeated
	}
	if err != nil {
		if why, ok := p.failed(v, err); ok {
			p.showDeletion(v, why)
		}
		return
	}
	// From here on nothing can be taken back: each step is made whatever becomes of the others.
	p.changed(v, "deleted", false)
	ctx := context.WithoutCancel(v.r.Context())
	if p.Replica != nil {
		// That the person is gone for good is for a pass of codegrant sync to say, which has
		// read everybody.
		enabled := false
		_, err := p.Replica.Apply(ctx, replica.Snapshot{Issuer: v.id.Issuer, Subject: v.id.Subject, Enabled: &enabled, GroupsKnown: true, At: p.Now()})
		if err != nil {
			p.log(v, slog.LevelError, "replica not updated after an account was deleted", slog.String("reason", err.Error()))
		}
	}
	if _, err := p.Auth.SignOutEverywhere(ctx, v.id.Subject, v.id.Username); err != nil {
		p.log(v, slog.LevelError, "sessions of a deleted account not ended", slog.String("reason", err.Error()))
	}
	pages.Render(v.w, v.r, http.StatusOK, pages.Account{
		Title: v.say(isDeleted), Message: v.say(isSignedOut), Links: []pages.Link{{URL: p.Prefix + "/logout", Text: v.say(toContinue)}},
	})
}
