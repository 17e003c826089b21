package state

import (
	"slices"
	"strings"
	"time"
)

// Device is a device that a user signed in with where the pool remembers them.
type Device struct {
	Key        string    `json:"key"`
	Group      string    `json:"group"`
	Name       string    `json:"name,omitempty"`
	Salt       string    `json:"salt,omitempty"` // of the verifier; empty: it is not confirmed
	Verifier   string    `json:"verifier,omitempty"`
	Remembered bool      `json:"remembered,omitempty"`
	IP         string    `json:"ip,omitempty"`
	Created    time.Time `json:"created"`
	Modified   time.Time `json:"modified"`
	Used       time.Time `json:"used"`
}

// maxDevices is how many devices of a user are kept: the oldest go.
const maxDevices = 100

var (
	errNoDevice  = refuse(ResourceNotFound, "Device does not exist.")
	errNoDevices = refuse("InvalidUserPoolConfigurationException", "Device tracking is not configured for the user pool.")
)

// NewDevice begins to know a device of a user, where the pool tracks them: nil elsewhere.
func (s *State) NewDevice(poolID, name, ip string) (made *Device, err error) {
	s.mu.Lock()
	p, err := s.pool(poolID)
	tracks := err == nil && p.rules.DeviceConfiguration != nil
	s.mu.Unlock()
	if err != nil || !tracks {
		return nil, err
	}
	err = s.change(poolID, name, func(p *Pool, u *User) error {
		region, _, _ := strings.Cut(p.ID, "_")
		d := Device{Key: region + "_" + newID(), Group: "-" + letters(alphanumeric, 8), IP: ip, Created: s.now(), Modified: s.now(), Used: s.now()}
		made = &d
		devices := append(slices.Clone(u.Devices), d)
		u.Devices = devices[max(0, len(devices)-maxDevices):]
		return nil
	})
	return made, err
}

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// Devices returns the devices of a user that were confirmed.
func (s *State) Devices(poolID, name string) ([]Device, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return nil, err
	}
	u := p.user(name)
	if u == nil {
		return nil, errNoUser
	}
	if p.rules.DeviceConfiguration == nil {
		return nil, errNoDevices
	}
	return slices.DeleteFunc(slices.Clone(u.Devices), func(d Device) bool { return d.Verifier == "" }), nil
}

// ConfirmDevice keeps what a device signs in with from then on. It reports whether the
// user has to be asked whether to remember it.
func (s *State) ConfirmDevice(poolID, name string, d Device) (ask bool, err error) {
	err = s.changeDevice(poolID, name, d.Key, func(p *Pool, known *Device) error {
		if known.Verifier != "" {
			return refuse("DeviceKeyExistsException", "Device already exists: "+d.Key)
		}
		known.Name, known.Salt, known.Verifier = d.Name, d.Salt, d.Verifier
		ask = p.rules.DeviceConfiguration.DeviceOnlyRememberedOnUserPrompt
		known.Remembered = !ask
		return nil
	})
	return ask, err
}

// RememberDevice says whether a device is remembered.
func (s *State) RememberDevice(poolID, name, key string, on bool) error {
	return s.changeDevice(poolID, name, key, func(_ *Pool, d *Device) error {
		d.Remembered = on
		return nil
	})
}

// UseDevice notes that a user signed in with a device.
func (s *State) UseDevice(poolID, name, key string) error {
	return s.changeDevice(poolID, name, key, func(_ *Pool, d *Device) error {
		d.Used = s.now()
		return nil
	})
}

// ForgetDevice removes a device.
func (s *State) ForgetDevice(poolID, name, key string) error {
	return s.changeDevice(poolID, name, key, func(_ *Pool, d *Device) error {
		d.Key = ""
		return nil
	})
}

// changeDevice changes a device in a copy of the list; one without a key goes.
func (s *State) changeDevice(poolID, name, key string, change func(*Pool, *Device) error) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		if p.rules.DeviceConfiguration == nil {
			return errNoDevices
		}
		i := slices.IndexFunc(u.Devices, func(d Device) bool { return d.Key == key })
		if i < 0 {
			return errNoDevice
		}
		devices := slices.Clone(u.Devices)
		if err := change(p, &devices[i]); err != nil {
			return err
		}
		devices[i].Modified = s.now()
		u.Devices = slices.DeleteFunc(devices, func(d Device) bool { return d.Key == "" })
		return nil
	})
}
