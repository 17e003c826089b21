package awssecret

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// stored is the JSON that Cognito keeps in Secrets Manager (AWS, API reference,
// CreateUserPoolClient, PublishSecretsInAWSSecretsManager).
type stored struct {
	ClientID *string `json:"userPoolClientId"`
	Secret   *string `json:"clientSecretValue"`
}

// parse reads the text of a secret: Cognito's JSON, or, for a secret that somebody put
// there by hand, the client secret alone. Its errors hold nothing of the text.
func parse(text, clientID string) (string, error) {
	secret := strings.TrimSpace(text)
	if strings.HasPrefix(secret, "{") {
		var s stored
		if err := json.Unmarshal([]byte(secret), &s); err != nil {
			return "", errors.New("its text is not JSON")
		}
		if s.Secret == nil {
			return "", errors.New("its JSON has no clientSecretValue")
		}
		if s.ClientID != nil && clientID != "" && *s.ClientID != clientID {
			return "", fmt.Errorf("it is the secret of another app client than %s", clientID)
		}
		secret = *s.Secret
	}
	if secret == "" || strings.ContainsFunc(secret, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return "", errors.New("its value is empty, or has white space in it")
	}
	return secret, nil
}
