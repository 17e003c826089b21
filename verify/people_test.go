package verify

import (
	"slices"
	"strings"
	"testing"
)

// TestS261_GroupsAndRolesAsThePoolSaysThem: names come out byte for byte and in the pool's
// order, whatever they are, and no role is preferred where the pool names none, as of two
// groups of one precedence.
func TestS261_GroupsAndRolesAsThePoolSaysThem(t *testing.T) {
	const arn = "arn:aws:iam::123456789012:role/"
	for name, groups := range map[string][]string{
		"one": {"admins"}, "order": {"b", "a", "c"}, "case": {"Admins", "admins", "ADMINS"}, "accents": {"é", "e\u0301", "e"}, "commas": {"a,b", "a", "b"},
		"quotes": {`a"b`, `a\b`, "a'b", "<a>&b"}, "of a provider": {"eu-west-1_Ab12Cd34E_Google", "eu-west-1_Ab12Cd34E_SAML-Idp"}, "of Cognito": {"cognito:groups", "cognito:"},
		"any alphabet": {"組織", "группа", "قسم", "👩‍🚀"}, "numbers": {"1", "01", "true", "null"}, "long": {strings.Repeat("組", 128), strings.Repeat("g", 128)},
	} {
		for ties, preferred := range map[string]any{"precedence": arn + "a", "a tie": gone{}} {
			claims := with(idClaims(), object{"cognito:groups": groups, "cognito:roles": []string{arn + "b", arn + "a", arn + "a/b+=,.@-_"}, "cognito:preferred_role": preferred})
			c, err := verifyAs(t, testVerifier(t, nil), claims)
			if err != nil {
				t.Errorf("%s, %s: %v", name, ties, err)
				continue
			}
			want, _ := preferred.(string)
			if !slices.Equal(c.Groups, groups) || !slices.Equal(c.Roles, []string{arn + "b", arn + "a", arn + "a/b+=,.@-_"}) || c.PreferredRole != want {
				t.Errorf("%s, %s: groups %q, roles %q, preferred %q", name, ties, c.Groups, c.Roles, c.PreferredRole)
			}
		}
	}
	for name, username := range map[string]string{
		"Google": "Google_123456789012345678901", "Facebook": "Facebook_10158", "Apple": "SignInWithApple_001234.abcdef.1234", "Amazon": "LoginWithAmazon_amzn1.account.AB",
		"SAML": "AzureAD_alice@example.com", "SAML with an odd NameID": "Okta_CN=Zoë, O=Acme\\, Ltd", "OpenID Connect": "Keycloak_f:1b2c:山田", "as long as may be": "S_" + strings.Repeat("ö", 126),
		"of two underscores": "a_b_c", "case": "google_ALICE",
	} {
		c, err := verifyAs(t, testVerifier(t, nil), with(idClaims(), object{"cognito:username": username}))
		if err != nil || c.Username != username {
			t.Errorf("%s: %v %v", name, c, err)
		}
	}
}
