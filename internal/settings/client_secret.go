package settings

import (
	"context"
	"errors"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/secret"
)

// clientSecret sets where the secrets of a pool's app client come from.
func (r *reader) clientSecret(key string, p pool, into *cognito.Pool) {
	given := 0
	for _, value := range []string{p.ClientSecret, p.ClientSecretFile, p.ClientSecretARN} {
		if value != "" {
			given++
		}
	}
	if given > 1 {
		r.fault(key+".client_secret", "set only one of client_secret, client_secret_file and client_secret_arn")
		return
	}
	if p.SecondSecret != "" && p.ClientSecret == "" {
		r.fault(key+".second_client_secret", "it needs client_secret; a file has the second secret in its second line, and Secrets Manager has both")
		return
	}
	switch {
	case p.ClientSecretFile != "":
		if r.readFile(key+".client_secret_file", p.ClientSecretFile, true) == nil {
			return
		}
		file, err := secret.NewFile(r.beside(p.ClientSecretFile))
		if err != nil {
			r.fault(key+".client_secret_file", "%w", err)
			return
		}
		into.Secrets = file
	case p.ClientSecretARN != "":
		into.ClientSecretARN, into.Secrets = p.ClientSecretARN, unread{}
		if r.secrets == nil {
			return
		}
		source, err := r.secrets(SecretAt{ARN: p.ClientSecretARN, ClientID: p.ClientID, Region: p.Region, Issuer: into.Issuer})
		if err != nil {
			r.fault(key+".client_secret_arn", "%w", err)
			return
		}
		into.Secrets = source
	default:
		into.ClientSecret, into.SecondSecret = cognito.Secret(p.ClientSecret), cognito.Secret(p.SecondSecret)
	}
}

// unread is the source of a secret that the command has no use for.
type unread struct{}

func (unread) Secrets(context.Context, bool) ([]string, error) {
	return nil, errors.New("this command does not read client secrets")
}
