package parts_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/organization"
)

// refusing is the address of a mail server that refuses a command, with a text that repeats it.
func refusing(t *testing.T, command, status string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	serve := func(c net.Conn) {
		defer c.Close()
		fmt.Fprint(c, "220 mail.example.com\r\n")
		for lines := bufio.NewScanner(c); lines.Scan(); {
			switch line := lines.Text(); {
			case strings.HasPrefix(line, command):
				fmt.Fprintf(c, "%s cannot do %s\r\n", status, line)
			case strings.HasPrefix(line, "EHLO"):
				fmt.Fprint(c, "250-mail.example.com\r\n250 ENHANCEDSTATUSCODES\r\n")
			case strings.HasPrefix(line, "DATA"):
				fmt.Fprint(c, "354 go on\r\n")
			default:
				fmt.Fprint(c, "250 2.0.0 fine\r\n")
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().String()
}

// TestS745_NoAddressInAnErrorOfMail: the log gets the command and the code.
func TestS745_NoAddressInAnErrorOfMail(t *testing.T) {
	for command, want := range map[string]string{"RCPT": "550 5.1.1", "MAIL": "451 4.3.0"} {
		t.Run(command, func(t *testing.T) {
			send := parts.Invitations(settings.SMTP{Address: refusing(t, command, want), Host: "127.0.0.1", Plain: true, From: "Example <no-reply@example.com>"})
			err := send(t.Context(), organization.Mail{To: "carol@example.com", Organization: "Acme", Role: "member", URL: "https://app.example.com/?token=SECRET", Expires: time.Now()})
			if err == nil || !strings.Contains(err.Error(), command) || !strings.Contains(err.Error(), want) {
				t.Fatalf("%v does not say %s and %s", err, command, want)
			}
			for _, no := range []string{"carol", "no-reply", "SECRET", "cannot do"} {
				if strings.Contains(err.Error(), no) {
					t.Errorf("%v has %q", err, no)
				}
			}
		})
	}
	err := parts.Invitations(settings.SMTP{Address: "127.0.0.1:1", Host: "127.0.0.1", Plain: true, From: "no-reply@example.com"})(t.Context(), organization.Mail{To: "carol at example"})
	if err == nil || strings.Contains(err.Error(), "carol") {
		t.Errorf("an address that is none: %v", err)
	}
}
