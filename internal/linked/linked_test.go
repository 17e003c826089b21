package linked

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

func TestAccounts(t *testing.T) {
	for text, want := range map[string][]Account{
		"":   nil,
		"{}": nil,
		`[{"providerName":"Google","userId":17}]`: nil,
		"[]": {},
		`[{"userId":"17","providerName":"Google","providerType":"Google","issuer":null,"primary":true,"dateCreated":1}]`: {{"Google", "17"}},
		`[{"userId":"a_b","providerName":"My_IdP"},{"userId":"E-17","providerName":"Staff"}]`:                            {{"My_IdP", "a_b"}, {"Staff", "E-17"}},
	} {
		if got := Accounts(text); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestUsernames(t *testing.T) {
	if got := (Account{"My_IdP", "E-17"}).Usernames(); !slices.Equal(got, []string{"My_IdP_E-17", "my_idp_e-17"}) {
		t.Error(got)
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("away"), false},
		{&types.TooManyRequestsException{}, false},
		{&types.InvalidParameterException{Message: aws.String("No such identity provider.")}, false},
		{fmt.Errorf("link: %w", &types.InvalidParameterException{Message: aws.String("Merging is not currently supported, provide a SourceUser that has not been signed up in order to link")}), true},
		{&types.InvalidParameterException{Message: aws.String("SourceUser is already linked to DestinationUser")}, true},
		{&types.LimitExceededException{}, true},
	} {
		if got := Refused(tt.err); got != tt.want {
			t.Errorf("%v: %v", tt.err, got)
		}
	}
}

func FuzzAccounts(f *testing.F) {
	for _, seed := range []string{"", "[]", `[{"providerName":"Google","userId":"17"}]`, `[null]`, `[{"PROVIDERNAME":"a"}]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, a := range Accounts(text) {
			if len(a.ProviderName)+len(a.UserID) > 3*len(text) { // bytes that are not UTF-8 become three
				t.Errorf("%q has %+v", text, a)
			}
			a.Usernames()
		}
	})
}
