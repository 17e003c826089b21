(() => {
  const form = document.querySelector("form"), options = JSON.parse(form.dataset.options), problem = document.querySelector("#problem");
  const go = async () => {
    problem.hidden = true;
    try {
      const given = form.dataset.new
        ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
        : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
      form.elements.credential.value = JSON.stringify(given.toJSON());
      form.submit();
    } catch (fault) {
      problem.textContent = fault.name === "SecurityError"
        ? `The relying party is ${(options.rp || {}).id || options.rpId}, and this page is at ${location.hostname}: open it there.`
        : fault.message;
      problem.hidden = false;
    }
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); go(); });
})();
