package refused

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/smithy-go"
)

// TestNoPool: the same code is said of groups, app clients and pools; only an operation that
// can miss nothing else says that there is no pool.
func TestNoPool(t *testing.T) {
	said := func(operation, code string) error {
		return fmt.Errorf("plan: %w", &smithy.OperationError{ServiceID: "Cognito Identity Provider", OperationName: operation, Err: &smithy.GenericAPIError{Code: code}})
	}
	for _, operation := range ofPoolAlone {
		if !NoPool(said(operation, "ResourceNotFoundException")) {
			t.Errorf("%s of a pool that does not exist says nothing", operation)
		}
	}
	for name, err := range map[string]error{
		"no error":              nil,
		"a group":               said("AdminAddUserToGroup", "ResourceNotFoundException"),
		"a provider":            said("DescribeIdentityProvider", "ResourceNotFoundException"),
		"an app client":         said("DescribeUserPoolClient", "ResourceNotFoundException"),
		"a user":                said("AdminGetUser", "UserNotFoundException"),
		"too many calls":        said("ListUsers", "TooManyRequestsException"),
		"no permission":         said("DescribeUserPool", "AccessDeniedException"),
		"no answer":             &smithy.OperationError{OperationName: "ListUsers", Err: errors.New("connection refused")},
		"nothing of the SDK":    errors.New("ResourceNotFoundException"),
		"a code, no operation":  &smithy.GenericAPIError{Code: "ResourceNotFoundException"},
		"an operation, no code": &smithy.OperationError{OperationName: "ListUsers", Err: errors.New("ResourceNotFoundException")},
	} {
		if NoPool(err) {
			t.Errorf("%s: %v says that there is no pool", name, err)
		}
	}
}
