package parts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/organization"
)

const mailPatience = 15 * time.Second

// Invitations returns what sends an invitation through a mail server.
func Invitations(to settings.SMTP) func(context.Context, organization.Mail) error {
	return func(ctx context.Context, m organization.Mail) error {
		if err := sendMail(ctx, to, m); err != nil {
			return fmt.Errorf("send an invitation through %s: %w", to.Address, err)
		}
		return nil
	}
}

func sendMail(ctx context.Context, to settings.SMTP, m organization.Mail) error {
	message := mail.NewMsg()
	if err := message.From(to.From); err != nil {
		return err
	}
	if message.To(m.To) != nil { // which repeats the address
		return errors.New("the address of the invitation is not an e-mail address")
	}
	message.Subject(m.Subject)
	message.SetGenHeader("Content-Language", m.Language)
	message.SetBodyString(mail.TypeTextPlain, m.Text)
	_, port, err := net.SplitHostPort(to.Address)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	options := []mail.Option{mail.WithPort(number), mail.WithTimeout(mailPatience)}
	switch {
	case to.TLS:
		options = append(options, mail.WithSSL())
	case to.Plain:
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if to.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(to.User), mail.WithPassword(to.Password.Reveal()))
	}
	client, err := mail.NewClient(to.Host, options...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, mailPatience)
	defer cancel()
	return withoutAddresses(client.DialAndSendWithContext(ctx, message))
}

// withoutAddresses is an error for the log: what the server says of a message may repeat to
// whom it is, and so does the package.
func withoutAddresses(err error) error {
	var sent *mail.SendError
	if !errors.As(err, &sent) {
		return err
	}
	if sent.ErrorCode() == 0 {
		return errors.New(sent.Reason.String())
	}
	return fmt.Errorf("%v: the server answered %s", sent.Reason, strings.TrimSpace(fmt.Sprint(sent.ErrorCode(), " ", sent.EnhancedStatusCode())))
}
