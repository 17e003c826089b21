package awssecret_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/secret"
	"github.com/codegrant/codegrant/secret/awssecret"
)

func anybody(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "none"}, nil
}

func vaultOf(pool *codegranttest.Pool) *secretsmanager.Client {
	return secretsmanager.New(secretsmanager.Options{Region: "local", BaseEndpoint: &pool.URL, Credentials: aws.CredentialsProviderFunc(anybody)})
}

func apiOf(pool *codegranttest.Pool) *cip.Client {
	return cip.New(cip.Options{Region: "local", BaseEndpoint: &pool.URL, Credentials: aws.CredentialsProviderFunc(anybody)})
}

// signInsUnderLoad signs people in without a pause while the secrets change, and
// returns how many did. One that fails fails the test.
func signInsUnderLoad(t *testing.T, pool *codegranttest.Pool, set func(*cognito.Pool), change func(i int)) int64 {
	t.Helper()
	for i := range 4 {
		name := fmt.Sprintf("load%d@example.com", i)
		pool.AddUser(fmt.Sprintf("load%d", i), name)
	}
	app := pool.App(func(c codegrant.Config) http.Handler {
		c.Logger = slog.New(slog.DiscardHandler)
		set(&c.Pool)
		auth, err := codegrant.New(c)
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		auth.Mount(mux, "/auth")
		mux.Handle("/", auth.Require(codegrant.SignedIn())(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := codegrant.From(r.Context())
			fmt.Fprint(w, id.Email)
		})))
		return mux
	})
	var done atomic.Int64
	var all sync.WaitGroup
	end := make(chan struct{})
	for i := range 4 {
		all.Go(func() {
			name := fmt.Sprintf("load%d@example.com", i)
			for {
				select {
				case <-end:
					return
				default:
				}
				page := codegranttest.NewBrowser(t).SignIn(app+"/page", name, codegranttest.Password)
				if page.Status != http.StatusOK || page.Body != name {
					t.Errorf("sign-in of %s: status %d, page %.80q", name, page.Status, page.Body)
					return
				}
				done.Add(1)
			}
		})
	}
	for i := range 3 {
		for before := done.Load(); done.Load() < before+4 && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		change(i)
	}
	for before := done.Load(); done.Load() < before+8 && !t.Failed(); {
		time.Sleep(time.Millisecond)
	}
	close(end)
	all.Wait()
	return done.Load()
}

// TestS352_NoSignInIsLost: the secrets of an app client change three times while
// people sign in, each way in which they can, and nobody notices.
func TestS352_NoSignInIsLost(t *testing.T) {
	t.Run("Secrets Manager", func(t *testing.T) {
		pool, arn := newPool(t)
		source, err := awssecret.New(awssecret.Config{ARN: arn, Client: vaultOf(pool)})
		if err != nil {
			t.Fatal(err)
		}
		n := signInsUnderLoad(t, pool, func(p *cognito.Pool) {
			p.ClientSecret, p.ClientSecretARN, p.Secrets = "", arn, source
		}, func(int) {
			// Twice, so that what the process knows is good no more.
			for range 2 {
				if _, err := vaultOf(pool).RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: &arn}); err != nil {
					t.Error(err)
				}
			}
		})
		t.Logf("%d sign-ins through three rotations", n)
	})
	t.Run("Secrets Manager is away", func(t *testing.T) {
		pool, arn := newPool(t)
		source, err := awssecret.New(awssecret.Config{ARN: arn, Client: vaultOf(pool), Lifetime: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		signInsUnderLoad(t, pool, func(p *cognito.Pool) {
			p.ClientSecret, p.ClientSecretARN, p.Secrets = "", arn, source
		}, func(int) {
			pool.Fault("secretsmanager.GetSecretValue", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
		})
	})
	t.Run("a file, by the runbook", func(t *testing.T) {
		pool := codegranttest.NewPool(t, nil)
		path := filepath.Join(t.TempDir(), "secret")
		write := func(content string) {
			if err := os.WriteFile(path+".new", []byte(content+"\n"), 0o600); err != nil {
				t.Error(err)
			}
			if err := os.Rename(path+".new", path); err != nil {
				t.Error(err)
			}
		}
		write(pool.Register("http://localhost").ClientSecret.Reveal())
		source, err := secret.NewFile(path)
		if err != nil {
			t.Fatal(err)
		}
		signInsUnderLoad(t, pool, func(p *cognito.Pool) { p.ClientSecret, p.Secrets = "", source }, func(i int) {
			rollOver(t, pool, func(added string) { write(added) })
		})
	})
	t.Run("two settings, by the runbook", func(t *testing.T) {
		pool := codegranttest.NewPool(t, nil)
		var added string
		rollOver(t, pool, func(s string) { added = s }, keepBoth)
		signInsUnderLoad(t, pool, func(p *cognito.Pool) { p.SecondSecret = cognito.Secret(added) }, func(i int) {
			if i == 1 {
				deleteOldest(t, pool)
			}
		})
	})
}

func newPool(t *testing.T) (*codegranttest.Pool, string) {
	pool := codegranttest.NewPool(t, nil)
	if err := pool.KeepSecret(pool.ClientID); err != nil {
		t.Fatal(err)
	}
	for _, c := range pool.Clients() {
		if c.ID == pool.ClientID {
			return pool, c.SecretARN
		}
	}
	t.Fatal("the pool lost its client")
	return nil, ""
}

type rolling int

const keepBoth rolling = 1

// rollOver is the runbook: add a secret, roll it out, delete the old one.
func rollOver(t *testing.T, pool *codegranttest.Pool, rollOut func(added string), how ...rolling) {
	added, err := apiOf(pool).AddUserPoolClientSecret(t.Context(), &cip.AddUserPoolClientSecretInput{UserPoolId: &pool.PoolID, ClientId: &pool.ClientID})
	if err != nil {
		t.Error(err)
		return
	}
	rollOut(*added.ClientSecretDescriptor.ClientSecretValue)
	if len(how) == 0 {
		deleteOldest(t, pool)
	}
}

func deleteOldest(t *testing.T, pool *codegranttest.Pool) {
	api := apiOf(pool)
	listed, err := api.ListUserPoolClientSecrets(t.Context(), &cip.ListUserPoolClientSecretsInput{UserPoolId: &pool.PoolID, ClientId: &pool.ClientID})
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := api.DeleteUserPoolClientSecret(t.Context(), &cip.DeleteUserPoolClientSecretInput{UserPoolId: &pool.PoolID, ClientId: &pool.ClientID, ClientSecretId: listed.ClientSecrets[0].ClientSecretId}); err != nil {
		t.Error(err)
	}
}
