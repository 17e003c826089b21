package account

import "github.com/codegrant/codegrant/internal/pages"

// text is in English, and in the catalogue of package pages in every language.
type text string

// say is a text in the language of the request, with values that come from elsewhere.
func (v *visit) say(t text, values ...any) string { return pages.Text(v.r, string(t), values...) }

// The texts of the pages.
const (
	yourAccount    text = "Your account"
	backToAccount  text = "Back to your account"
	toChange       text = "Change"
	toSave         text = "Save"
	toStart        text = "Go to the start page"
	signInAgain    text = "Sign in again"
	notSet         text = "Not set"
	turnedOn       text = "It is turned on."
	turnedOff      text = "It is turned off."
	hasBeenSaved   text = "Your changes are saved."
	nothingChanged text = "You have changed nothing."

	yourProfile text = "Your profile"

	yourEmail      text = "E-mail address"
	yourPhone      text = "Phone number"
	phoneForm      text = "With the country code, such as +49 151 1234567."
	isConfirmed    text = "Confirmed"
	notConfirmed   text = "Not confirmed"
	newAddress     text = "New address"
	newNumber      text = "New number"
	codeComes      text = "A code is sent to the new one. Enter it here to confirm that it is yours."
	codeSent       text = "A code was sent. Enter it here."
	haveCode       text = "Enter the code"
	theCode        text = "The code"
	toConfirm      text = "Confirm"
	sendAgain      text = "Send another code"
	isConfirmedNow text = "It is confirmed."
	noAddress      text = "Enter an e-mail address such as name@example.com."
	noNumber       text = "Enter a phone number with the country code, such as +49 151 1234567."

	yourPassword    text = "Your password"
	currentPassword text = "Current password"
	newPassword     text = "New password"
	samePassword    text = "New password, once more"
	changePassword  text = "Change the password"
	passwordChanged text = "Your password is changed. Other browsers stay signed in: end their sessions if you do not know them."
	notTheSame      text = "The two new passwords are not the same."
	passwordNote    text = "Nobody will ask you for it by phone or e-mail."
	emptyIfNone     text = "Leave it empty if you have none yet."
	signsInBy       text = "You sign in with %s, where your password is."

	yourAuthenticator text = "Authenticator app"
	authenticatorIs   text = "An app on your phone shows a code. You enter it after your password."
	setUp             text = "Set up an app"
	setUpAnother      text = "Set up another app in its place"
	scanThis          text = "Scan this with the app, or type the key beneath it. Then enter the code that the app shows. The key is shown this once."
	keyAsPicture      text = "The key as a QR code"
	enterItsCode      text = "Enter the code that the app shows now. To scan once more, begin again."
	beginAgain        text = "Begin again"
	nameOfApp         text = "Name of the phone or app"
	optional          text = "You can leave it empty."
	turnOn            text = "Turn on"
	turnOff           text = "Turn off"
	isTurnedOn        text = "The authenticator app is set up. You will be asked for its code when you sign in."
	isTurnedOff       text = "The authenticator app is turned off."

	yourPasskeys  text = "Your passkeys"
	passkeysAre   text = "A passkey signs you in with your fingerprint, your face or the lock of your device."
	addPasskey    text = "Add a passkey"
	noPasskeys    text = "You have no passkeys."
	aPasskey      text = "A passkey"
	addedOn       text = "Added on %s"
	toRemove      text = "Remove"
	isRemoved     text = "The passkey is removed. Delete it on your device, too."
	noneRemembers text = "You have more passkeys than this page shows. Remove some first."

	yourIdentities  text = "Ways to sign in"
	identitiesAre   text = "Each of them signs you in to this account."
	usedNow         text = "You use this one now"
	isDisabled      text = "This one is disabled."
	linkAnother     text = "Link another way to sign in"
	linkingIs       text = "You may have a second account, such as with Google. Sign in with it once. Then it is another way to sign in to this account."
	signInWithIt    text = "Sign in with the other account"
	linkThis        text = "Link this account?"
	linkMeans       text = "People who can sign in with it can then use this account. It has no account of its own any more, and is signed out everywhere. Only link what is yours."
	toLink          text = "Link"
	toCancel        text = "Cancel"
	toSeparate      text = "Separate"
	separateThis    text = "Separate this way to sign in?"
	separateMeans   text = "It no longer signs you in to this account. It gets an account of its own, without what belongs to this one, and is signed out everywhere."
	isLinked        text = "It is linked. You can now sign in with it, too."
	isSeparated     text = "It is separated. It has an account of its own now."
	isYours         text = "You signed in with something that already belongs to this account. Nothing has been changed."
	isOfAnother     text = "It belongs to another account that has several ways to sign in. Separate it there first, or contact support. Nothing has been changed."
	otherDisabled   text = "The other account is disabled. Nothing has been changed."
	notAskedAnew    text = "The sign-in service did not ask you to sign in, because it still knows somebody in this browser. Sign out, sign in again, then try once more."
	notProvenNow    text = "You did not finish signing in with the other account. Nothing has been changed."
	proofEnded      text = "Too much time has passed. Sign in with the other account again. Nothing has been changed."
	anotherProven   text = "You signed in with yet another account in the meantime. Look again which one is linked."
	notLinked       text = "The other account cannot be linked at the moment: it was changed in the meantime. Nothing has been changed."
	notYours        text = "You can no longer sign in to this account that way."
	isLinkedHere    text = "It is linked. You can now sign in with it, too. Where it was signed in before, it may stay signed in as before for a while."
	isSeparatedHere text = "It is separated. It has an account of its own now. Where it was signed in before, it may stay signed in to this account for a while."
	notKnownYet     text = "This service does not know your account yet. Sign in again, then try once more."
	onlyWayIn       text = "It is the only one with which you can sign in to this account. Link another one first. Nothing has been changed."

	recovery       text = "If you cannot sign in"
	recoverBy      text = "If you forget your password, a code to choose a new one can be sent to: %s"
	recoverByNone  text = "If you forget your password, no code can be sent to you: you have no confirmed address or number."
	losePhone      text = "Without the phone that has your authenticator app, you cannot sign in with a password. Add a passkey too, or contact support."
	yourSessions   text = "Your sessions"
	sessionsAre    text = "See where you are signed in, and end sessions."
	showSessions   text = "Show your sessions"
	deleteAccount  text = "Delete your account"
	deletionMeans  text = "Your account is deleted at once from the sign-in service, so you can no longer sign in to any app that uses it. Nobody can restore it. Apps may keep what they have stored about you."
	othersKeepIt   text = "The way to sign in that you use now is deleted at once from the sign-in service. You can no longer use it for any app. Nobody can restore it. These other ways to sign in keep this account, and what belongs to it. To delete them, too, sign in with each of them:"
	deletionIsMine text = "I know that this cannot be undone."
	isDeleted      text = "Your account is deleted"
	isSignedOut    text = "You are signed out everywhere."
	toContinue     text = "Continue"
	sayThatYouKnow text = "Tick the box if you want that."

	cannotChange text = "Your account cannot be changed here"
	noScope      text = "This service does not have permission to change your account. Sign in again. If that does not help, contact support."
	tokenEnded   text = "The sign-in service no longer accepts your sign-in. Sign in again, then try once more. Nothing has been changed."
	waitMinutes  text = "You have tried this too often. Wait %s, then try again. Nothing has been changed."
)

// labels of standard attributes.
var labels = map[string]text{
	"name": "Full name", "given_name": "First name", "family_name": "Last name", "middle_name": "Middle name", "nickname": "Nickname", "preferred_username": "Preferred username",
	"birthdate": "Date of birth", "gender": "Gender", "locale": "Language", "zoneinfo": "Time zone", "website": "Web site", "profile": "Profile page", "picture": "Picture", "address": "Postal address",
	email: yourEmail, phone: yourPhone,
}
