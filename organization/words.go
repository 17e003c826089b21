package organization

// text is in English, and in the catalogue of package pages in every language.
type text string

// The texts of the pages.
const (
	yourOrganizations   text = "Your organizations"
	backToOrganizations text = "Back to your organizations"
	toStart             text = "Go to the start page"
	inNone              text = "You are not in an organization."
	actFor              text = "You act for %s."
	chooseOne           text = "Choose the organization that you act for."
	toActFor            text = "Act for this organization"
	toLeave             text = "Leave"
	actsNow             text = "You act for this organization now."
	hasLeft             text = "You have left the organization."
	yourRole            text = "Role: %s"
	moreOrganizations   text = "Show more organizations"

	membersOf      text = "Members of %s"
	membersLink    text = "Members and invitations"
	moreMembers    text = "Show more members"
	changeRole     text = "Change the role"
	theRole        text = "Role"
	toRemove       text = "Remove"
	wasRemoved     text = "The member is removed."
	roleChanged    text = "The role is changed."
	inviteSomebody text = "Invite somebody"
	yourEmail      text = "E-mail address"
	toInvite       text = "Send the invitation"
	waiting        text = "Open invitations"
	acceptUntil    text = "It can be accepted until %s."
	hasExpired     text = "It has expired."
	sendAgain      text = "Send it again"
	takeBack       text = "Take it back"
	wasSent        text = "The invitation is sent."
	takenBack      text = "The invitation is taken back."

	invitedTo    text = "You are invited to %s"
	signInFirst  text = "Sign in with the address %s, or sign up with it, to accept the invitation."
	toSignIn     text = "Sign in or sign up"
	toJoin       text = "Join"
	otherAddress text = "The invitation is for %s. Sign in with that address, and confirm it if you are asked to."
	otherAccount text = "Sign in with another account"
	notGood      text = "This invitation was used or taken back, or has expired. Ask for a new one."
	isMember     text = "You are a member now."

	lastManager text = "Nobody else manages the organization. Give somebody else that role first."
	isThere     text = "The address is of somebody who is a member already."
	tooMany     text = "There are too many members or invitations."
	notSent     text = "The invitation could not be sent. Try again later."
	noAddress   text = "Enter an e-mail address such as name@example.com."
	tooOften    text = "Too many invitations were sent in the last 24 hours. Try again tomorrow."

	signInOrAsk   text = "Sign in with the address %s to accept the invitation. If you have no account yet, create one."
	toSignInAlone text = "I have an account: sign in"
	toCreate      text = "Create an account"
	accountMade   text = "If there was no account for %s, it is created now. Its temporary password comes by e-mail. Sign in with it to accept the invitation."
	noUser        text = "No account can be created for this address. Ask the person who invited you."

	mailSubject text = "Invitation to %s"
	mailInvites text = "You are invited to %s, as %s."
	mailOpen    text = "Open this link to accept the invitation:"
	mailUntil   text = "It can be used once, with this address, until %s."
	mailIgnore  text = "If you do not expect it, ignore this message. Nothing happens then."
)
