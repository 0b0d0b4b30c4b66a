-- Whoever checks a card asks for it by the number that is signed in its chip.
CREATE INDEX card_by_pin ON card (pin);
