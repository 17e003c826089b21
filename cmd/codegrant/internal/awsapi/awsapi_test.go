package awsapi

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLocalEndpoint: a pool of this machine is asked where it is, and no other one
// anywhere but at AWS.
func TestLocalEndpoint(t *testing.T) {
	for issuer, want := range map[string]string{
		"http://127.0.0.1:9229/local_Demo12345":                                          "http://127.0.0.1:9229",
		"https://localhost:9229/local_Demo12345":                                         "https://localhost:9229",
		"http://[::1]:9229/local_Demo12345":                                              "http://[::1]:9229",
		"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E":                "",
		"https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E":         "",
		"https://localhost.example.com/eu-west-1_Ab12Cd34E":                              "",
		"https://127.0.0.1.example.com/eu-west-1_Ab12Cd34E":                              "",
		"https://127.0.0.1@cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E":      "",
		"https://10.0.0.1/eu-west-1_Ab12Cd34E":                                           "",
		"https://cognito-idp.eu-west-1.amazonaws.com/localhost/127.0.0.1/eu-west-1_Ab12": "",
	} {
		if got := LocalEndpoint(issuer); got != want {
			t.Errorf("LocalEndpoint(%q) = %q, want %q", issuer, got, want)
		}
	}
}

// TestWhereAClientAsks: a flag comes first, then the issuer of a pool on this machine, then
// what the SDK finds in its settings, then AWS. The first two get credentials of nobody.
func TestWhereAClientAsks(t *testing.T) {
	const (
		atAWS = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"
		local = "http://127.0.0.1:9229/local_Demo12345"
	)
	for name, tt := range map[string]struct {
		way                  Way
		general, own, config string // settings
		url, who, region     string
	}{
		"AWS":                        {Way{Region: "eu-west-1", Issuer: atAWS}, "", "", "", "https://cognito-idp.eu-west-1.amazonaws.com/", "AKIDEXAMPLE", "eu-west-1"},
		"AWS in China":               {Way{Region: "cn-north-1"}, "", "", "", "https://cognito-idp.cn-north-1.amazonaws.com.cn/", "AKIDEXAMPLE", "cn-north-1"},
		"the Region of the tools":    {Way{}, "", "", "", "https://cognito-idp.eu-south-1.amazonaws.com/", "AKIDEXAMPLE", "eu-south-1"},
		"AWS_ENDPOINT_URL":           {Way{Region: "eu-west-1", Issuer: atAWS}, "http://general:1", "", "", "http://general:1/", "AKIDEXAMPLE", "eu-west-1"},
		"the variable of Cognito":    {Way{Region: "eu-west-1"}, "http://general:1", "http://own:2/a", "", "http://own:2/a/", "AKIDEXAMPLE", "eu-west-1"},
		"endpoint_url":               {Way{Region: "eu-west-1"}, "", "", "[default]\nendpoint_url = http://profile:3\n", "http://profile:3/", "AKIDEXAMPLE", "eu-west-1"},
		"endpoint_url of a profile":  {Way{Region: "eu-west-1", Profile: "old"}, "", "", "[profile old]\nendpoint_url = http://profile:4\naws_access_key_id = AKIDOLD\naws_secret_access_key = none\n", "http://profile:4/", "AKIDOLD", "eu-west-1"},
		"a pool on this machine":     {Way{Issuer: local}, "http://general:1", "http://own:2", "", "http://127.0.0.1:9229/", "local", "local"},
		"a flag":                     {Way{Endpoint: "http://flag:5", Issuer: local}, "http://general:1", "http://own:2", "", "http://flag:5/", "local", "local"},
		"a flag, of a pool of AWS's": {Way{Endpoint: "http://flag:5", Issuer: atAWS, Region: "eu-west-1"}, "http://general:1", "", "", "http://flag:5/", "local", "eu-west-1"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config")
			if err := os.WriteFile(file, []byte(tt.config), 0o600); err != nil {
				t.Fatal(err)
			}
			for variable, value := range map[string]string{
				"AWS_CONFIG_FILE": file, "AWS_SHARED_CREDENTIALS_FILE": file + "-none", "AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true",
				"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "none", "AWS_SESSION_TOKEN": "", "AWS_REGION": "eu-south-1", "AWS_DEFAULT_REGION": "",
				"AWS_ENDPOINT_URL": tt.general, "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": tt.own,
			} {
				t.Setenv(variable, value)
				if value == "" {
					os.Unsetenv(variable)
				}
			}
			if tt.way.Profile != "" {
				os.Unsetenv("AWS_ACCESS_KEY_ID") // keys of the environment come before those of a profile
			}
			client, err := tt.way.CognitoWithCredentials(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			url, err := URL(t.Context(), client)
			if err != nil || url != tt.url || client.Options().Region != tt.region {
				t.Errorf("%s, in %s, %v, want %s, in %s", url, client.Options().Region, err, tt.url, tt.region)
			}
			who, err := client.Options().Credentials.Retrieve(t.Context())
			if err != nil || who.AccessKeyID != tt.who {
				t.Errorf("credentials of %q, %v, want %q", who.AccessKeyID, err, tt.who)
			}
		})
	}
}

// TestNoCredentials: it is said before anything is asked, and a Region that nobody knows is, too.
func TestNoCredentials(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for variable, value := range map[string]string{"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(variable, value)
	}
	for _, variable := range []string{
		"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		t.Setenv(variable, "")
		os.Unsetenv(variable)
	}
	if _, err := (Way{Region: "eu-west-1"}).CognitoWithCredentials(t.Context()); !errors.Is(err, ErrNoCredentials) {
		t.Errorf("without credentials: %v, want %v", err, ErrNoCredentials)
	}
	if _, err := (Way{}).Cognito(t.Context()); err == nil || !strings.Contains(err.Error(), "set AWS_REGION") {
		t.Errorf("without a Region: %v", err)
	}
}

// TestEndpointsOfSettingsAreLogged: once for each log, and only where they lead elsewhere. What a
// flag or the issuer names is no surprise.
func TestEndpointsOfSettingsAreLogged(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for variable, value := range map[string]string{
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": "http://general:1",
	} {
		t.Setenv(variable, value)
	}
	const atAWS = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"
	for name, tt := range map[string]struct {
		way             Way
		logged          int
		issuer, instead string
	}{
		"a pool of AWS's":        {Way{Region: "eu-west-1", Issuer: atAWS}, 1, atAWS, "http://general:1"},
		"a pool at the endpoint": {Way{Region: "eu-west-1"}, 1, "http://general:1/local_Demo12345", ""},
		"a pool on this machine": {Way{Issuer: "http://127.0.0.1:9229/local_Demo12345"}, 0, "http://127.0.0.1:9229/local_Demo12345", ""},
		"a flag":                 {Way{Endpoint: "http://flag:5", Region: "eu-west-1"}, 0, atAWS, "http://flag:5"},
	} {
		var log strings.Builder
		tt.way.Log = slog.New(slog.NewTextHandler(&log, nil))
		for range 2 {
			client, err := tt.way.Cognito(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := Overridden(client, tt.issuer); got != tt.instead {
				t.Errorf("%s: asked instead: %q, want %q", name, got, tt.instead)
			}
		}
		if n := strings.Count(log.String(), "level=INFO"); n != tt.logged || n != strings.Count(log.String(), "endpoint=http://general:1") {
			t.Errorf("%s: the log has %d messages, want %d: %s", name, n, tt.logged, log.String())
		}
	}
	t.Setenv("AWS_ENDPOINT_URL", "")
	os.Unsetenv("AWS_ENDPOINT_URL")
	client, err := Way{Region: "eu-west-1", Issuer: atAWS}.Cognito(t.Context())
	if err != nil || Overridden(client, atAWS) != "" {
		t.Errorf("AWS: %v", err)
	}
}
