package upstream

import (
	"strings"
	"testing"
)

// FuzzS708_Answers: of whatever a token endpoint answers, what is taken fits a header.
func FuzzS708_Answers(f *testing.F) {
	for _, body := range []string{
		`{"access_token":"a","token_type":"bearer","expires_in":3600}`, `{"access_token":"a","token_type":"Bearer","expires_in":"3600","refresh_token":"b"}`, `{"error":"x"}`, `{"error":"a\n"}`,
		`{"access_token":"a b","token_type":"bearer"}`, `{"access_token":"a","token_type":"bearer","expires_in":1e300}`, `[]`, ``, `{"access_token":"a","token_type":"bearer","expires_in":-1}`,
	} {
		f.Add(200, body)
		f.Add(400, body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		a, err := parse(status, []byte(body))
		if err == nil && (status != 200 || a.Access == "" || strings.ContainsAny(a.Access+a.Refresh, " \r\n\t,") || a.ExpiresIn < 0) {
			t.Errorf("%d %q: %+v", status, body, a)
		}
		if err != nil && a != (answer{}) {
			t.Errorf("%d %q: %+v beside %v", status, body, a, err)
		}
	})
}
