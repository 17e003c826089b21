package localpool

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/codegrant/codegrant/localpool/internal/api"
	"github.com/codegrant/codegrant/localpool/internal/state"
)

// addFactors gives a user of a new state their second factors.
func (u UserSeed) addFactors(st *state.State, poolID, name string) error {
	for i, code := range u.Codes {
		if err := st.SetFactor(poolID, name, code, true, i == 0 && !u.AuthenticatorAlways); err != nil {
			return fmt.Errorf("codes: %w", err)
		}
	}
	if u.Authenticator == "" {
		return nil
	}
	if err := st.AddToken(poolID, name, authenticatorKey(u.Authenticator), u.AuthenticatorAlways); err != nil {
		return fmt.Errorf("authenticator: %w", err)
	}
	return nil
}

// configuration reads what the API's words say of a pool.
func (p PoolSeed) configuration() (c api.Configuration, err error) {
	if len(p.Configuration) == 0 {
		return c, nil
	}
	b, err := json.Marshal(p.Configuration)
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		err = d.Decode(&c)
	}
	if err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	return c, nil
}
