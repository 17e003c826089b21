package account

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/replica"
)

func (p *Pages) showDeletion(v *visit, why string) {
	p.show(v, deleteAccount, why, pages.Section{Message: v.say(deletionMeans), Forms: []pages.Form{{
		URL: p.home + "/delete", Text: v.say(deleteAccount),
		Inputs: []pages.Input{{Name: "sure", Type: "checkbox", Value: "yes", Label: v.say(deletionIsMine), Needed: true}},
	}}})
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
