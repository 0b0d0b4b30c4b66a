-- Lists that pages show the newest first: applications by their capture, boxes by the place they go to.
CREATE INDEX application_by_capture ON application (captured_at DESC, application_id DESC);
CREATE INDEX consignment_by_place ON consignment (to_code, sent_at DESC, consignment_id);
