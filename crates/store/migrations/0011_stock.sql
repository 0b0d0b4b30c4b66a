-- Blank cards one by one, instead of their number: each is received in a box, used once or spoiled, and belongs to at most one
-- card. stock_movement counted without knowing which; what it said of batches is in batch.printed and batch.spoiled.
DROP TABLE stock_movement;

CREATE TABLE blank_box (
    box bigint PRIMARY KEY CHECK (box > 0),
    received_at timestamptz NOT NULL,
    actor text NOT NULL,
    -- The key from which the transport keys of the box's blanks follow, wrapped by the key-encryption key (AES-KW). NULL when
    -- the cards are written by a machine of its own that has it.
    wrapped_key bytea CHECK (octet_length(wrapped_key) = 40)
);

CREATE TABLE blank (
    serial text PRIMARY KEY CHECK (serial ~ '^[0-9A-F]{20}$'), -- the chip's
    box bigint NOT NULL REFERENCES blank_box,
    state text NOT NULL DEFAULT 'in_stock' CHECK (state IN ('in_stock', 'writing', 'used', 'spoiled')),
    card_id uuid UNIQUE REFERENCES card,  -- a card has one blank, ever: when it is spoiled, so is the card and its number
    since timestamptz NOT NULL,
    attempts smallint NOT NULL DEFAULT 0, -- how often writing it was begun
    reason text,                          -- why it is spoiled: a code
    CHECK (state = 'spoiled' OR (state = 'in_stock') = (card_id IS NULL)),
    CHECK ((state = 'spoiled') = (reason IS NOT NULL))
);
CREATE INDEX blank_by_box ON blank (box, state);
CREATE INDEX blank_in_stock ON blank (serial) WHERE state = 'in_stock';
CREATE INDEX blank_being_written ON blank (since) WHERE state = 'writing';

-- A blank's life goes forward only, and its card never changes, whoever writes.
CREATE FUNCTION blank_goes_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.serial <> OLD.serial OR NEW.box <> OLD.box
        OR (OLD.card_id IS NOT NULL AND NEW.card_id IS DISTINCT FROM OLD.card_id)
        OR OLD.state IN ('used', 'spoiled')
        OR (OLD.state = 'writing' AND NEW.state = 'in_stock')
    THEN
        RAISE EXCEPTION 'a blank is used once: % cannot become %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'blank_goes_forward', TABLE = 'blank';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER blank_goes_forward BEFORE UPDATE ON blank FOR EACH ROW EXECUTE FUNCTION blank_goes_forward();

-- A spoiled card stays spoiled, so that its number, which is unique, stands for no other card.
CREATE FUNCTION card_stays_spoiled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a spoiled card stays spoiled'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'card_stays_spoiled', TABLE = 'card';
END
$$;
CREATE TRIGGER card_stays_spoiled BEFORE UPDATE OF state, number ON card FOR EACH ROW
    WHEN (OLD.state = 'spoiled' AND (NEW.state <> 'spoiled' OR NEW.number <> OLD.number))
    EXECUTE FUNCTION card_stays_spoiled();

-- What people counted, and what the rows said in that moment.
CREATE TABLE stock_count (
    count_id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    expected bigint NOT NULL,
    counted bigint NOT NULL CHECK (counted >= 0),
    note text
);
