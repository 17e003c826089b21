package prove

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/codegrant/codegrant/internal/quotas"
)

// ClaimedIssuer reads, without believing it, whose a token is; empty: it does not say.
func ClaimedIssuer(token string) string {
	parts := strings.Split(token, ".")
	if len(token) > quotas.TokenBytes || len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.Issuer
}
