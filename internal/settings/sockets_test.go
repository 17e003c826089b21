package settings

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

func TestSockets(t *testing.T) {
	for _, tt := range []struct {
		more          string
		mode          fs.FileMode
		warning, want string
	}{
		{"", 0o660, "", ""},
		{"listen: unix:/run/cg/http\ntrusted_proxies: 127.0.0.1", 0o660, "", ""},
		{"listen: unix:/run/cg/http", 0o660, "listen: the gateway ignores what this proxy says about its clients; add 127.0.0.1 to trusted_proxies", ""},
		{"ops_listen: unix:/run/cg/ops\nsocket_mode: 0600", 0o600, "", ""},
		{"ops_listen: unix:/run/cg/ops\nsocket_mode: \"0666\"", 0o666, "socket_mode: everybody on this machine may connect to /run/cg/ops", ""},
		{"socket_mode: 0777", 0, "", "socket_mode: it must be one of 0600, 0660, 0666"},
		{"socket_mode: 432", 0, "", "socket_mode: it must be one of 0600, 0660, 0666"},
		{"listen: \"unix:\"", 0, "", "listen: the path is missing"},
		{"ops_listen: unix:/" + strings.Repeat("a", 103), 0, "", "ops_listen: the path has 104 bytes"},
	} {
		s, err := Load(write(t, onePool+tt.more+"\n", nil), Options{Keys: processKeys})
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q: %v, want %q", tt.more, err, tt.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tt.more, err)
			continue
		}
		if s.SocketMode != tt.mode || (len(s.Warnings) > 0) != (tt.warning != "") || !strings.Contains(fmt.Sprint(s.Warnings), tt.warning) {
			t.Errorf("%q: %o, warnings %v, want %o %q", tt.more, s.SocketMode, s.Warnings, tt.mode, tt.warning)
		}
	}
}
