package verify

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/codegrant/codegrant/internal/testenv"
)

// TestS176_Wycheproof runs Project Wycheproof's vectors for JSON web signatures and
// keys. What they call valid and is not signed by RS256 is refused by policy; other
// verdicts of ours that are not theirs are listed, each with its reason.
func TestS176_Wycheproof(t *testing.T) {
	dir := testenv.Module(t, "testdata/wycheproof", "github.com/c2sp/wycheproof")
	tests, accepted := 0, 0
	for file, differ := range map[string]map[int]string{
		"json_web_signature_test.json": {259: "an empty payload is no claims"},
		"json_web_key_test.json":       {7: "whether a key was made by a weak chip (ROCA) is for who makes it to know"},
	} {
		var vectors struct {
			NumberOfTests int
			TestGroups    []struct {
				Comment         string
				Public, Private json.RawMessage
				Tests           []struct {
					TcID                 int
					Comment, JWS, Result string
				}
			}
		}
		text, err := os.ReadFile(filepath.Join(dir, "testvectors_v1", file))
		if err == nil {
			err = json.Unmarshal(text, &vectors)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range vectors.TestGroups {
			set, algorithm := keySet(t, group.Public, group.Private)
			for _, test := range group.Tests {
				tests++
				want := test.Result == "valid" && algorithm == "RS256"
				if reason := differ[test.TcID]; reason != "" {
					want = !want
				}
				err := verifyAlone(set, test.JWS)
				if err == nil {
					accepted++
				}
				if (err == nil) != want {
					t.Errorf("%s, %d, %s, %s: %v, and the vector is %s", file, test.TcID, group.Comment, test.Comment, err, test.Result)
				}
			}
		}
	}
	if tests != 427 || accepted != 9 {
		t.Errorf("%d vectors, %d accepted, want 427 and 9", tests, accepted)
	}
}

// keySet is a set of the keys of a group, and the algorithm that is theirs alone.
func keySet(t *testing.T, public, private json.RawMessage) (set, algorithm string) {
	keys := public
	if keys == nil {
		keys = private
	}
	var many struct {
		Alg  string
		Keys []struct{ Alg string }
	}
	if err := json.Unmarshal(keys, &many); err != nil {
		t.Fatal(err)
	}
	if many.Keys == nil {
		return `{"keys":[` + string(keys) + `]}`, many.Alg
	}
	for _, key := range many.Keys {
		algorithm = key.Alg
	}
	return string(keys), algorithm
}

// verifyAlone verifies a signature, whatever it is of.
func verifyAlone(set, jws string) error {
	keys, err := parseKeySet([]byte(set))
	if err != nil {
		return err
	}
	token, err := accessToken.parse(jws)
	if err != nil {
		return err
	}
	err = fmt.Errorf("%w: %q", ErrUnknownKey, token.keyID)
	for _, key := range keys[token.keyID] {
		if err = token.verifyRS256(key); err == nil {
			break
		}
	}
	return err
}
