package api

import (
	"context"
	"encoding/base64"
	"math/big"
	"slices"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

// A device that is remembered shows in place of a second factor that it has the secret
// that it made when it was confirmed.
const (
	deviceSRP      = "DEVICE_SRP_AUTH"
	deviceVerifier = "DEVICE_PASSWORD_VERIFIER"
)

// deviceOfUser finds a device that is remembered; false: it is asked for nothing.
func deviceOfUser(u state.User, key string) (state.Device, bool) {
	for _, d := range u.Devices {
		if key != "" && d.Key == key && d.Verifier != "" && d.Remembered {
			return d, true
		}
	}
	return state.Device{}, false
}

// hasDevice refuses a key that no device of a user has any more, which has AWS's own clients forget
// it and go on without. (Unconfirmed: "the key of a device that is forgotten, at a sign-in".)
func (a *API) hasDevice(c state.Client, u state.User, key string) error {
	if key == "" {
		return nil
	}
	p, err := a.state.Describe(c.PoolID)
	known := slices.ContainsFunc(u.Devices, func(d state.Device) bool { return d.Key == key })
	if err != nil || known || p.Rules().DeviceConfiguration == nil {
		return err
	}
	return &state.Error{Type: state.ResourceNotFound, Message: "Device does not exist."}
}

// askedDevice is the session of the latest challenge of a user that asks for a device: some
// clients send the key and no session. (Unconfirmed: "`DEVICE_SRP_AUTH` without `Session`".)
func (a *API) askedDevice(c state.Client, username string) string {
	u, err := a.state.User(c.PoolID, username)
	if err != nil {
		return ""
	}
	return a.sessions.latest(deviceSRP, c.ID, u.Sub(), a.state.Now())
}

// beginDevice answers the A of a device.
func (a *API) beginDevice(_ context.Context, c state.Client, taken challenge, u state.User, p, _ map[string]string) (any, error) {
	if err := need(p, "DEVICE_KEY", "SRP_A"); err != nil {
		return nil, err
	}
	d, ok := deviceOfUser(u, p["DEVICE_KEY"])
	salt, err1 := base64.StdEncoding.DecodeString(d.Salt)
	verifier, err2 := base64.StdEncoding.DecodeString(d.Verifier)
	if !ok || err1 != nil || err2 != nil {
		return nil, &state.Error{Type: state.ResourceNotFound, Message: "Device does not exist."}
	}
	public, err := parseA(p["SRP_A"])
	if err != nil {
		return nil, err
	}
	x, err := newExchange(state.SRP{PoolName: d.Group, UserID: d.Key, Salt: new(big.Int).SetBytes(salt), Verifier: new(big.Int).SetBytes(verifier)}, public)
	if err != nil {
		return nil, err
	}
	x.block = a.sessions.start(challenge{name: deviceVerifier, clientID: c.ID, poolID: c.PoolID, sub: u.Sub(), srp: x, progress: taken.progress}, a.state.Now(), srpLifetime)
	return authAnswer{ChallengeName: deviceVerifier, Session: x.block, ChallengeParameters: map[string]string{
		"SALT": x.Salt.Text(16), "SRP_B": x.b.Text(16), "SECRET_BLOCK": x.block, "DEVICE_KEY": d.Key, "USERNAME": u.Username,
	}}, nil
}

// checkDevice takes a device's proof.
func (a *API) checkDevice(ctx context.Context, c state.Client, p, metadata map[string]string) (any, error) {
	if err := need(p, "USERNAME", "DEVICE_KEY", "PASSWORD_CLAIM_SIGNATURE", "PASSWORD_CLAIM_SECRET_BLOCK", "TIMESTAMP"); err != nil {
		return nil, err
	}
	wrong := unauthorized("Incorrect username or password.")
	taken, err := a.sessions.take(p["PASSWORD_CLAIM_SECRET_BLOCK"], deviceVerifier, c.ID, a.state.Now())
	if err != nil {
		return nil, wrong
	}
	u, err := a.state.User(c.PoolID, taken.sub)
	if err != nil {
		return nil, wrong
	}
	if err := checkHash(c, u.Username, p["SECRET_HASH"], wrongLaterHash); err != nil {
		return nil, err
	}
	at, err := time.Parse(srpTime, p["TIMESTAMP"])
	if err != nil || at.Format(srpTime) != p["TIMESTAMP"] || p["DEVICE_KEY"] != taken.srp.UserID || !taken.srp.proves(p["TIMESTAMP"], p["PASSWORD_CLAIM_SIGNATURE"]) {
		return nil, wrong
	}
	if err := a.state.UseDevice(c.PoolID, u.Sub(), taken.srp.UserID); err != nil {
		return nil, err
	}
	return a.admitWith(ctx, c, u, triggers.Authentication, metadata, taken.srp.UserID, taken.shown)
}
