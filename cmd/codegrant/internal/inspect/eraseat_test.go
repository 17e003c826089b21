package inspect

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
)

// TestS767_AnEmulatorWithoutThePool: settings of AWS's tools lead to an emulator, which does not
// know the pool. Nobody has asked AWS, so the person stays.
func TestS767_AnEmulatorWithoutThePool(t *testing.T) {
	emulator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"ResourceNotFoundException","message":"User pool eu-west-1_Ab12Cd34E does not exist."}`)
	}))
	defer emulator.Close()
	none := filepath.Join(t.TempDir(), "none")
	for variable, value := range map[string]string{
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY": "none", "AWS_ENDPOINT_URL": emulator.URL, "HTTPS_PROXY": "http://127.0.0.1:1",
	} {
		t.Setenv(variable, value)
	}
	config := commandtest.Stores(t)
	o := withHistory(t, config)
	stdout, stderr, status := say(t, "users", "erase", "alice", "--at-pool", "--yes", "--config", config)
	if status != 1 || !strings.Contains(stderr, emulator.URL+", the endpoint that") || !strings.Contains(stderr, "nothing else is done") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	if n := strings.Count(stderr, `"endpoint":"`+emulator.URL+`"`); n != 1 {
		t.Errorf("the log names the endpoint %d times: %s", n, stderr)
	}
	if _, err := o.Users.UserByUsername(t.Context(), o.Issuer, "alice"); err != nil {
		t.Errorf("she is gone: %v", err)
	}
}
