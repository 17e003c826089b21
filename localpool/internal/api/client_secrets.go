package api

import (
	"encoding/json"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// secretType is a secret of a client in the API's words. Only the answer that made it
// up has its value.
type secretType struct {
	ClientSecretId         string
	ClientSecretValue      string `json:",omitempty"`
	ClientSecretCreateDate epoch
}

type addClientSecret struct {
	onClient
	ClientSecret string
}

// secretsChange refuses the secret operations for a client that registered itself.
func (a *API) secretsChange(clientID string) error {
	if c, ok := a.state.Client(clientID); ok && c.Dynamic {
		return invalid("The client registered itself, and keeps the secret that it was given.")
	}
	return nil
}

func (a *API) addUserPoolClientSecret(in *addClientSecret) (any, error) {
	if err := a.secretsChange(in.ClientId); err != nil {
		return nil, err
	}
	added, err := a.state.AddSecret(in.UserPoolId, in.ClientId, in.ClientSecret)
	if err != nil {
		return nil, err
	}
	shown := secretType{ClientSecretId: added.ID, ClientSecretCreateDate: epoch(added.Created)}
	if in.ClientSecret == "" {
		shown.ClientSecretValue = added.Value
	}
	return map[string]any{"ClientSecretDescriptor": shown}, nil
}

func (a *API) listUserPoolClientSecrets(in *onClient) (any, error) {
	if err := a.secretsChange(in.ClientId); err != nil {
		return nil, err
	}
	secrets, err := a.state.ListSecrets(in.UserPoolId, in.ClientId)
	if err != nil {
		return nil, err
	}
	list := make([]secretType, 0, len(secrets))
	for _, s := range secrets {
		list = append(list, secretType{ClientSecretId: s.ID, ClientSecretCreateDate: epoch(s.Created)})
	}
	return map[string]any{"ClientSecrets": list}, nil
}

type deleteClientSecret struct {
	onClient
	ClientSecretId string
}

func (a *API) deleteUserPoolClientSecret(in *deleteClientSecret) (any, error) {
	if err := a.secretsChange(in.ClientId); err != nil {
		return nil, err
	}
	return empty, a.state.DeleteSecret(in.UserPoolId, in.ClientId, in.ClientSecretId)
}

// Of Secrets Manager the local pool answers what reads and replaces the secrets of app
// clients: an application has one endpoint for both services.
const secretsManager = "secretsmanager."

type secretValue struct {
	SecretId     string
	VersionId    string
	VersionStage string
}

func (a *API) getSecretValue(in *secretValue) (any, error) {
	c, secrets, err := a.state.Managed(in.SecretId)
	if err != nil {
		return nil, err
	}
	stages := []string{"AWSCURRENT", "AWSPREVIOUS"}
	for i, s := range secrets {
		if in.VersionId != "" && in.VersionId != versionOf(s) || in.VersionId == "" && (in.VersionStage == "" && i > 0 || in.VersionStage != "" && in.VersionStage != stages[i]) {
			continue
		}
		// AWS, API reference, CreateUserPoolClient: the members of the secret's JSON.
		text, err := json.Marshal(map[string]string{"userPoolId": c.PoolID, "userPoolClientId": c.ID, "clientSecretValue": s.Value})
		if err != nil {
			return nil, err
		}
		return map[string]any{
			"ARN": c.SecretARN, "Name": c.SecretName(), "VersionId": versionOf(s), "SecretString": string(text),
			"VersionStages": []string{stages[i]}, "CreatedDate": epoch(s.Created),
		}, nil
	}
	return nil, &state.Error{Type: state.ResourceNotFound, Message: "Secrets Manager can't find the specified secret value for staging label: " + in.VersionStage}
}

// versionOf is an id of a version: Secrets Manager's have 32 to 64 characters.
func versionOf(s state.ClientSecret) string {
	const zeros = "00000000-0000-0000-0000-000000000000"
	return zeros[:max(0, len(zeros)-len(s.ID))] + s.ID
}

type rotateSecret struct{ SecretId string }

func (a *API) rotateSecret(in *rotateSecret) (any, error) {
	s, err := a.state.Rotate(in.SecretId)
	if err != nil {
		return nil, err
	}
	c, _, err := a.state.Managed(in.SecretId)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ARN": c.SecretARN, "Name": c.SecretName(), "VersionId": versionOf(s)}, nil
}
