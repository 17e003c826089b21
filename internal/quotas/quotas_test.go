package quotas_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/internal/quotas"
)

// TestTheLargestTokenFits builds what a pool could put into an ID token, with each
// character escaped, and leaves no room unused that a mistake in the sum would explain.
func TestTheLargestTokenFits(t *testing.T) {
	claims := map[string]any{}
	for i := range quotas.StandardAttributes + quotas.CustomAttributes {
		name := fmt.Sprintf("custom:%025d", i)
		claims[name] = strings.Repeat("<", quotas.AttributeBytes) // six bytes each, as Go writes it
	}
	groups, roles := []string{}, []string{}
	for i := range quotas.GroupsPerUser {
		groups = append(groups, fmt.Sprintf("%04d", i)+strings.Repeat("𝄞", quotas.GroupNameCharacters-4))
		roles = append(roles, fmt.Sprintf("arn:aws:iam::111122223333:role/%04d", i)+strings.Repeat("/", quotas.RoleBytes-35))
	}
	claims["cognito:groups"], claims["cognito:roles"], claims["cognito:preferred_role"] = groups, roles, roles[0]
	claims["sub"], claims["nonce"], claims["cognito:username"] = strings.Repeat("s", 36), strings.Repeat("n", 43), strings.Repeat("𝄞", quotas.UsernameCharacters)
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	// As ASCII alone, as some libraries write JSON.
	var ascii strings.Builder
	for _, r := range string(payload) {
		switch {
		case r < 0x80:
			ascii.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&ascii, `\u%04x`, r)
		default:
			fmt.Fprintf(&ascii, `\u%04x\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		}
	}
	size := base64.RawURLEncoding.EncodedLen(ascii.Len()) + 1024
	if size > quotas.TokenBytes || size < quotas.TokenBytes*8/10 {
		t.Errorf("the largest token has %d bytes, and the sum is %d", size, quotas.TokenBytes)
	}
}
