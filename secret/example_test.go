package secret_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/secret"
)

// A client secret in a file, as containers get it. A second line is the second secret while
// the two are rotated.
func ExampleNewFile() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "client-secret")
	if err := os.WriteFile(path, []byte("new\nold\n"), 0o600); err != nil {
		log.Fatal(err)
	}
	source, err := secret.NewFile(path)
	if err != nil {
		log.Fatal(err)
	}
	_ = cognito.Pool{ID: "eu-west-1_Ab12Cd34E", ClientID: "2example3client4", Secrets: source}
	secrets, err := source.Secrets(context.Background(), false)
	fmt.Println(len(secrets), err)
	// Output: 2 <nil>
}
