package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestARoleForTheOldPool: the old pool, in another account, is asked with the keys of its role,
// and the new one with those of the function.
func TestARoleForTheOldPool(t *testing.T) {
	const role = "arn:aws:iam::111122223333:role/move"
	var mu sync.Mutex
	asked := map[string]map[string]bool{"old": {}, "new": {}} // the keys that a pool has seen
	pool := func(name string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, key, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
			key, _, _ = strings.Cut(key, "/")
			mu.Lock()
			asked[name][key+" "+r.Header.Get("X-Amz-Security-Token")] = true
			mu.Unlock()
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			switch _, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); operation {
			case "AdminInitiateAuth":
				fmt.Fprint(w, `{"AuthenticationResult":{"AccessToken":"a token"}}`)
			case "AdminGetUser":
				fmt.Fprint(w, `{"Username":"alice","Enabled":true,"UserStatus":"CONFIRMED","UserAttributes":[{"Name":"sub","Value":"sub-of-alice"}]}`)
			default:
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(w, `{"__type":"NotAuthorizedException","message":"no"}`)
			}
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("Action") != "AssumeRole" || r.FormValue("RoleArn") != role {
			t.Errorf("STS is asked for %v", r.Form)
		}
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>OLDKEY</AccessKeyId>`+
			`<SecretAccessKey>secret</SecretAccessKey><SessionToken>of-the-role</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(sts.Close)
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "OWNKEY", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "", "AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL_STS": sts.URL,
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	env := map[string]string{
		"OLD_POOL": "eu-west-1_Ab12Cd34E", "NEW_POOL": "eu-central-1_Ef56Gh78I", "OLD_ENDPOINT": pool("old"), "NEW_ENDPOINT": pool("new"), "OLD_CLIENT_ID": "ask",
		"OLD_ROLE_ARN": role, "CODEGRANT_MOVE_KEY": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=",
	}
	event := []byte(`{"version":"1","triggerSource":"UserMigration_Authentication","region":"eu-central-1","userPoolId":"eu-central-1_Ef56Gh78I","userName":"alice","request":{"password":"a password"},"response":{}}`)
	arrive := func() {
		t.Helper()
		arrival, err := open(t.Context(), func(name string) string { return env[name] })
		if err != nil {
			t.Fatal(err)
		}
		_, _ = arrival.Handle(t.Context(), event) // the new pool does not describe itself
	}
	arrive()
	if got := fmt.Sprint(asked); got != "map[new:map[OWNKEY :true] old:map[OLDKEY of-the-role:true]]" {
		t.Errorf("with a role: %s", got)
	}
	asked = map[string]map[string]bool{"old": {}, "new": {}}
	delete(env, "OLD_ROLE_ARN")
	arrive()
	if got := fmt.Sprint(asked); got != "map[new:map[OWNKEY :true] old:map[OWNKEY :true]]" {
		t.Errorf("without one: %s", got)
	}
}
