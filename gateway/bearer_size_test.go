package gateway

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/internal/quotas"
)

// TestS410_BearerTokensOfTheLargestPerson choose the pool that signed them: how long a token
// is has nothing to do with whose it is.
func TestS410_BearerTokensOfTheLargestPerson(t *testing.T) {
	for _, size := range []int{10, 16 << 10, 64 << 10, quotas.TokenBytes/4*3 - 2048} {
		payload := fmt.Sprintf(`{"custom:a":%q,"iss":"https://issuer.example.com/pool"}`, strings.Repeat("x", size))
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer e30."+base64.RawURLEncoding.EncodeToString([]byte(payload))+".c2ln")
		if got := bearerIssuer(r); got != "https://issuer.example.com/pool" {
			t.Errorf("with %d bytes: %q", size, got)
		}
	}
}
