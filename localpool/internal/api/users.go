package api

type onUser struct {
	UserPoolId string
	Username   string
}

func (in *onUser) check(c *check) {
	c.pool(in.UserPoolId)
	c.username(in.Username)
}

func (a *API) adminGetUser(in *onUser) (any, error) {
	u, err := a.state.User(in.UserPoolId, in.Username)
	if err != nil {
		return nil, err
	}
	attributes, err := attributesOf(u, nil)
	if err != nil {
		return nil, err
	}
	return struct {
		Username             string
		UserAttributes       []attribute
		UserCreateDate       epoch
		UserLastModifiedDate epoch
		Enabled              bool
		UserStatus           string
	}{u.Username, attributes, epoch(u.Created), epoch(u.Modified), u.Enabled, u.Status}, nil
}
