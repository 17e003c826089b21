package api

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
