package standin_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// hash is the SECRET_HASH of the client web.
func hash(username string) string {
	m := hmac.New(sha256.New, []byte("one1of2the3secrets4of5web"))
	m.Write([]byte(username + "web"))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

func claim(token any, name string) any {
	text, _ := token.(string)
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil
	}
	b, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	_ = json.Unmarshal(b, &claims)
	return claims[name]
}
