package state

import (
	"cmp"
	"log/slog"
	"strings"
)

// Marks that stand in messages for what is in their places, as AWS has them. A link has a
// text of its own between its marks.
const (
	CodeMark     = "{####}"
	UsernameMark = "{username}"
	LinkMark     = "{##Click Here##}"
)

// messages are the settings of a pool that have the words of messages.
type messages struct {
	VerificationMessageTemplate struct {
		DefaultEmailOption                     string
		EmailMessage, EmailSubject, SmsMessage string
		EmailMessageByLink, EmailSubjectByLink string
	}
	AdminCreateUserConfig struct {
		InviteMessageTemplate struct{ EmailMessage, EmailSubject, SMSMessage string }
	}
	SmsAuthenticationMessage string
	EmailMfaConfiguration    struct{ Message, Subject string }
	SmsMfaConfiguration      struct{ SmsAuthenticationMessage string }
}

// words are the subject and the text of a message: the pool's own, or AWS's.
func (p *Pool) words(m Message) (subject, text string) {
	w, v := p.rules.messages, p.rules.messages.VerificationMessageTemplate
	switch {
	case m.Reason == forInvitation && m.Code == "":
		return p.welcome(m)
	case m.Reason == forInvitation && m.Mail():
		invite := w.AdminCreateUserConfig.InviteMessageTemplate
		return cmp.Or(invite.EmailSubject, "Your temporary password"), cmp.Or(invite.EmailMessage, "Your username is {username} and temporary password is {####}")
	case m.Reason == forInvitation:
		return "", cmp.Or(w.AdminCreateUserConfig.InviteMessageTemplate.SMSMessage, "Your username is {username} and temporary password is {####}")
	case m.Reason == forAuthentication && m.Mail():
		return cmp.Or(w.EmailMfaConfiguration.Subject, "Your verification code"), cmp.Or(w.EmailMfaConfiguration.Message, "Your authentication code is {####}")
	case m.Reason == forAuthentication:
		return "", cmp.Or(w.SmsMfaConfiguration.SmsAuthenticationMessage, w.SmsAuthenticationMessage, "Your authentication code is {####}")
	case !m.Mail():
		return "", cmp.Or(v.SmsMessage, "Your confirmation code is {####}")
	case v.DefaultEmailOption == "CONFIRM_WITH_LINK" && m.Purpose == confirmSignUp:
		return cmp.Or(v.EmailSubjectByLink, "Your verification link"), cmp.Or(v.EmailMessageByLink, "Please click the link below to verify your email address. {##Verify Email##}")
	case m.Reason == forForgotten:
		return cmp.Or(v.EmailSubject, "Your verification code"), cmp.Or(v.EmailMessage, "Your password reset code is {####}")
	}
	return cmp.Or(v.EmailSubject, "Your verification code"), cmp.Or(v.EmailMessage, "Your confirmation code is {####}")
}

// welcome are the words of an invitation to who needs no password: a template that has a
// place for one would end in the middle.
// (Unconfirmed: "the words of an invitation without a temporary password".)
func (p *Pool) welcome(m Message) (subject, text string) {
	own := p.rules.messages.AdminCreateUserConfig.InviteMessageTemplate
	subject, text = own.EmailSubject, own.EmailMessage
	if !m.Mail() {
		subject, text = "", own.SMSMessage
	}
	if text == "" || strings.Contains(text, CodeMark) {
		subject, text = "", "Your username is {username}"
	}
	if m.Mail() {
		subject = cmp.Or(subject, "Your account")
	}
	return subject, text
}

// Filled is a text of a message with the code and the username in their places, and a link
// in its own; link is none where the code is not confirmed by one.
func (m Message) Filled(text, link string) string {
	text = strings.NewReplacer(CodeMark, m.Code, UsernameMark, m.Username).Replace(text)
	before, rest, ok := strings.Cut(text, "{##")
	label, after, closed := strings.Cut(rest, "##}")
	if !ok || !closed || link == "" {
		return text
	}
	return before + `<a href="` + strings.NewReplacer("&", "&amp;", `"`, "&quot;").Replace(link) + `">` + label + "</a>" + after
}

// Undelivered are the messages that are to be delivered, which are then the caller's.
func (s *State) Undelivered() (list []Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.outbox {
		if m.ID > s.delivered {
			list = append(list, m)
		}
	}
	s.delivered = s.lastMessage
	return list
}

// Deliver has a message be as it is given, logs it, and, unless a function has it, sends it.
func (s *State) Deliver(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.outbox {
		if s.outbox[i].ID == m.ID {
			s.outbox[i] = m
		}
	}
	s.logger.Info("code that Cognito would send", slog.String("to", m.To), slog.String("for", m.Purpose), slog.String("code", m.Code))
	if s.sent != nil && m.Function == "" {
		s.sent(m)
	}
}
