package move

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// federated is an old pool with one person of Google.
type federated struct {
	OldAPI
	enabled bool
}

func (f federated) ListUsers(context.Context, *cip.ListUsersInput, ...func(*cip.Options)) (*cip.ListUsersOutput, error) {
	return &cip.ListUsersOutput{Users: []types.UserType{{Username: aws.String("Google_17"), Enabled: f.enabled, UserStatus: types.UserStatusTypeExternalProvider,
		Attributes: []types.AttributeType{{Name: aws.String("sub"), Value: aws.String("old-17")}}}}}, nil
}

// TestS770_ADisabledPersonOfAProvider: whom the old pool has disabled is not let in by the
// account at a provider, neither as who they were nor as somebody new.
func TestS770_ADisabledPersonOfAProvider(t *testing.T) {
	w := newWorld(t, nil)
	if sub, err := w.tickets.Find(federated{enabled: true})(t.Context(), "Google_17"); sub != "old-17" || err != nil {
		t.Errorf("%q, %v", sub, err)
	}
	if sub, err := w.tickets.Find(federated{})(t.Context(), "Google_17"); sub != "" || !errors.Is(err, ErrDisabled) {
		t.Errorf("disabled: %q, %v", sub, err)
	}
}
