package triggers

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// The triggers of messages: what they say, and who sends them.
const (
	CustomMessage     = "CustomMessage"
	CustomEmailSender = "CustomEmailSender"
	CustomSMSSender   = "CustomSMSSender"
)

// Deliver delivers what was sent since: in the words of a function, if the pool has one,
// and by another, if it has one for that. a says who asked, and what the app sent along. A
// function that refuses is the caller's refusal, and its message is not delivered.
func (t *Triggers) Deliver(ctx context.Context, clientID string, metadata map[string]string) (failed error) {
	for _, m := range t.state.Undelivered() {
		if err := t.deliver(ctx, m, clientID, metadata); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

func (t *Triggers) deliver(ctx context.Context, m state.Message, clientID string, metadata map[string]string) error {
	about := About{PoolID: m.PoolID, ClientID: clientID, Metadata: metadata}
	var err error
	if about.User, err = t.state.User(m.PoolID, m.Sub); err != nil {
		return nil // gone since, and so is whom it is for
	}
	if strings.HasPrefix(m.Reason, "Admin") {
		about.ClientID = "" // an administrator's call
	}
	sender, kind := CustomSMSSender, "customSMSSenderRequestV1"
	if m.Mail() {
		sender, kind = CustomEmailSender, "customEmailSenderRequestV1"
	}
	if _, ok := t.hook(m.PoolID, sender); ok {
		code, err := t.sealed(m.Code)
		if err != nil {
			return err
		}
		request := map[string]any{"type": kind, "code": code, "userAttributes": attributesOf(about.User)}
		m.Function = sender
		t.state.Deliver(m)
		_, err = t.call(ctx, sender, sender+"_"+m.Reason, about, "1", request, map[string]any{})
		return err
	}
	if err := t.reword(ctx, &m, about); err != nil {
		return err
	}
	link := ""
	if t.link != nil {
		link = t.link(m, clientID)
	}
	m.Text = m.Filled(m.Text, link)
	t.state.Deliver(m)
	return nil
}

// reword asks the function of CustomMessage for the words of a message. Those that lack the
// code are not taken.
// (Unconfirmed: "words of `CustomMessage` without the code".)
func (t *Triggers) reword(ctx context.Context, m *state.Message, about About) error {
	request := map[string]any{
		"userAttributes": attributesOf(about.User), "codeParameter": state.CodeMark, "linkParameter": state.LinkMark, "usernameParameter": nil,
	}
	if m.Reason == "AdminCreateUser" {
		request["usernameParameter"] = state.UsernameMark
	}
	response := map[string]any{"smsMessage": nil, "emailMessage": nil, "emailSubject": nil}
	answer, err := t.call(ctx, CustomMessage, CustomMessage+"_"+m.Reason, about, "1", request, response)
	if answer == nil || err != nil {
		return err
	}
	w, err := parseWords(answer)
	if err != nil {
		return t.shape(CustomMessage, err)
	}
	text, subject := w.sms, m.Subject
	if m.Mail() {
		text = w.email
		if w.subject != "" {
			subject = w.subject
		}
	}
	switch {
	case text == "":
	case !strings.Contains(text, state.CodeMark) && !strings.Contains(text, "{##"):
		t.logger.Warn("the words of a trigger lack the code, and are not taken", slog.String("trigger", CustomMessage), slog.String("code", state.CodeMark))
		return nil
	default:
		m.Text = text
	}
	m.Subject = subject
	return nil
}

type words struct{ sms, email, subject string }

func parseWords(m members) (w words, err error) {
	for name, into := range map[string]*string{"smsMessage": &w.sms, "emailMessage": &w.email, "emailSubject": &w.subject} {
		if *into, err = read[string](m, name); err != nil {
			return words{}, err
		}
		if len(*into) > maxWords {
			return words{}, fmt.Errorf("%s has more than %d bytes", name, maxWords)
		}
	}
	return w, nil
}

const maxWords = 20_000

// sealed is a code as a sender is given it: in the place of KMS, by a key of the seed's, as
// the base64 of a nonce of 12 bytes and what AES-GCM makes of the code. Without a key it is
// the code.
func (t *Triggers) sealed(code string) (string, error) {
	if len(t.key) == 0 {
		return code, nil
	}
	block, err := aes.NewCipher(t.key)
	if err != nil {
		return "", err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, gcm.NonceSize())
	rand.Read(nonce)
	return base64.StdEncoding.EncodeToString(gcm.Seal(nonce, nonce, []byte(code), nil)), nil
}
