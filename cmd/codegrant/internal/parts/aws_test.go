package parts

import (
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
			t.Errorf("localEndpoint(%q) = %q, want %q", issuer, got, want)
		}
	}
}
