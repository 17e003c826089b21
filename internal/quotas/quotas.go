package quotas

// Of a person, and of the pool. All are of the page "Quotas in Amazon Cognito",
// https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html, unless a line
// says otherwise.
const (
	GroupsPerUser        = 100    // "Groups per user"
	GroupsPerPool        = 10_000 // "Groups per user pool"
	CustomAttributes     = 50     // "Custom attributes per user pool"
	AttributeBytes       = 2048   // "Characters per attribute": 2,048 bytes
	LinkedIdentities     = 5      // "Identity providers linked to a user"
	ScopesPerAppClient   = 50     // "Scopes per app client"
	CustomScopesOfServer = 100    // "Scopes per resource server"

	// StandardAttributes are those of OpenID Connect that every pool has, address and
	// sub among them.
	// https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html
	StandardAttributes = 20

	// GroupNameCharacters: 1 to 128 of [\p{L}\p{M}\p{S}\p{N}\p{P}]+.
	// https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateGroup.html
	GroupNameCharacters = 128
	// RoleBytes: the ARN of a group's role has 20 to 2048 characters, of ASCII. Same page.
	RoleBytes = 2048

	// UsernameCharacters: 1 to 128 of [\p{L}\p{M}\p{S}\p{N}\p{P}]+.
	// https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_AdminCreateUser.html
	UsernameCharacters = 128

	// AttributeNameCharacters: 1 to 32, with the prefix of a custom attribute.
	// https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_AttributeType.html
	AttributeNameCharacters = 32

	// ScopeCharacters: a custom scope is {identifier}/{name}, each of 1 to 256.
	// https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateResourceServer.html
	ScopeCharacters = 256 + 1 + 256
)

// The most bytes that a character takes in JSON. RFC 8259, section 7, lets a writer escape each
// character: six bytes for one of the basic plane, which is each byte of ASCII, and twelve for
// one beyond it.
const (
	jsonOfByte      = 6
	jsonOfCharacter = 12
	jsonAround      = 4 // quotes, and what stands between two values
)

// TokenBytes is how long an ID token can become, and an access token cannot: the sum
// of what a pool puts into it, as base64url, with header and signature. A trigger that
// adds claims of its own can go beyond it.
const TokenBytes = tokenPayload*4/3 + tokenRest

const (
	tokenPayload = allAttributes + allGroups + allRoles + allIdentities + ownClaims

	allAttributes = (StandardAttributes + CustomAttributes) * (AttributeBytes*jsonOfByte + AttributeNameCharacters*jsonOfByte + 2*jsonAround)
	allGroups     = GroupsPerUser * (GroupNameCharacters*jsonOfCharacter + jsonAround)
	// A slash is what is escaped in an ARN, if anything: two bytes.
	allRoles      = (GroupsPerUser + 1) * (RoleBytes*2 + jsonAround)
	allIdentities = LinkedIdentities * AttributeBytes * jsonOfByte
	// ownClaims are iss, aud, times, ids, nonce, and the username.
	ownClaims = 8<<10 + UsernameCharacters*jsonOfCharacter

	tokenRest = 2 << 10 // header, signature, dots
)

// AnswerBytes is how long an answer of a token endpoint can become: two tokens, of
// which the access token has groups and scopes, and a refresh token.
const AnswerBytes = 2*TokenBytes + 64<<10
