-- The catalog in PostgreSQL 14 or later. `exchange catalog init` runs this file in one transaction;
-- run again, it adds what is missing and keeps what is there.

SELECT pg_advisory_xact_lock(hashtext('exchange catalog')); -- Two of them take turns.

-- A number that every change of the catalog raises, in the transaction of the change.
CREATE TABLE IF NOT EXISTS catalog_version (
  id      INTEGER PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  version BIGINT  NOT NULL
);
INSERT INTO catalog_version (version) VALUES (1) ON CONFLICT DO NOTHING;

-- Who may bid. NULL: not said. Without an endpoint it is simulated.
CREATE TABLE IF NOT EXISTS bidders (
  id                 VARCHAR(64) COLLATE "C" PRIMARY KEY CHECK (id ~ '^[!-~]+$'),
  country            VARCHAR(2) CHECK (country ~ '^[A-Z]{2}$'), -- Or rows of bidder_countries.
  endpoint           VARCHAR(2048) CHECK (endpoint ~ '^https?://[!-~]+$'),
  seat               VARCHAR(64) CHECK (seat ~ '^[!-~]+$'),
  max_in_flight      INTEGER CHECK (max_in_flight BETWEEN 1 AND 10000),
  max_qps            INTEGER CHECK (max_qps BETWEEN 1 AND 1000000),
  timeout_ms         INTEGER CHECK (timeout_ms BETWEEN 1 AND 60000),
  gzip               BOOLEAN,
  wait               BOOLEAN,
  no_bid_probability DOUBLE PRECISION CHECK (no_bid_probability BETWEEN 0 AND 1),
  latency_ms         VARCHAR(11) CHECK (latency_ms ~ '^[0-9]{1,5}-[0-9]{1,5}$')
);

-- Several countries of one bidder, instead of bidders.country.
CREATE TABLE IF NOT EXISTS bidder_countries (
  bidder_id VARCHAR(64) COLLATE "C" REFERENCES bidders ON DELETE CASCADE ON UPDATE CASCADE,
  position  INTEGER NOT NULL DEFAULT 0,
  country   VARCHAR(2) COLLATE "C" CHECK (country ~ '^[A-Z]{2}$'),
  PRIMARY KEY (bidder_id, country)
);

-- Sent with each call of a bidder.
CREATE TABLE IF NOT EXISTS bidder_headers (
  bidder_id VARCHAR(64) COLLATE "C" REFERENCES bidders ON DELETE CASCADE ON UPDATE CASCADE,
  name      VARCHAR(64) COLLATE "C" CHECK (name ~ '^[A-Za-z0-9-]+$'),
  value     VARCHAR(1024) NOT NULL CHECK (value ~ '^[ -~]*$'),
  PRIMARY KEY (bidder_id, name)
);

-- Places for an ad. NULL: not said.
CREATE TABLE IF NOT EXISTS supplies (
  id                VARCHAR(64) COLLATE "C" PRIMARY KEY CHECK (id ~ '^[!-~]+$'),
  floor             NUMERIC(6, 2) CHECK (floor BETWEEN 0 AND 4000), -- CPM.
  auction           VARCHAR(16) CHECK (auction IN ('first_price', 'second_price')),
  domain            VARCHAR(256) CHECK (domain <> ''),
  app_bundle        VARCHAR(256) CHECK (app_bundle <> ''),
  app_name          VARCHAR(256) CHECK (app_name <> ''),
  app_domain        VARCHAR(256) CHECK (app_domain <> ''),
  app_storeurl      VARCHAR(2048) CHECK (app_storeurl <> ''),
  video_w           INTEGER CHECK (video_w BETWEEN 1 AND 10000),
  video_h           INTEGER CHECK (video_h BETWEEN 1 AND 10000),
  video_minduration INTEGER CHECK (video_minduration BETWEEN 0 AND 3600),
  video_maxduration INTEGER CHECK (video_maxduration BETWEEN 0 AND 3600),
  native_request    VARCHAR(4096) CHECK (native_request <> ''),
  native_ver        VARCHAR(256) CHECK (native_ver <> ''),
  CHECK (domain IS NULL OR app_bundle IS NULL),
  CHECK (app_bundle IS NOT NULL OR COALESCE(app_name, app_domain, app_storeurl) IS NULL),
  CHECK (native_request IS NOT NULL OR native_ver IS NULL)
);

-- Who may bid on what. Of equal bids the lowest position wins; without one a row comes last.
CREATE TABLE IF NOT EXISTS supply_bidders (
  supply_id VARCHAR(64) COLLATE "C" REFERENCES supplies ON DELETE CASCADE ON UPDATE CASCADE,
  bidder_id VARCHAR(64) COLLATE "C" REFERENCES bidders ON DELETE CASCADE ON UPDATE CASCADE,
  position  INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (supply_id, bidder_id)
);
CREATE INDEX IF NOT EXISTS supply_bidders_in_order ON supply_bidders (supply_id, position);
CREATE INDEX IF NOT EXISTS supply_bidders_of_bidder ON supply_bidders (bidder_id);

-- The sizes of a banner.
CREATE TABLE IF NOT EXISTS supply_banner_formats (
  supply_id VARCHAR(64) COLLATE "C" REFERENCES supplies ON DELETE CASCADE ON UPDATE CASCADE,
  position  INTEGER NOT NULL DEFAULT 0,
  w         INTEGER CHECK (w BETWEEN 1 AND 10000),
  h         INTEGER CHECK (h BETWEEN 1 AND 10000),
  PRIMARY KEY (supply_id, w, h)
);

-- A video has at least one.
CREATE TABLE IF NOT EXISTS supply_video_mimes (
  supply_id VARCHAR(64) COLLATE "C" REFERENCES supplies ON DELETE CASCADE ON UPDATE CASCADE,
  position  INTEGER NOT NULL DEFAULT 0,
  mime      VARCHAR(256) COLLATE "C" CHECK (mime ~ '^[!-~]+$'),
  PRIMARY KEY (supply_id, mime)
);

CREATE TABLE IF NOT EXISTS supply_video_protocols (
  supply_id VARCHAR(64) COLLATE "C" REFERENCES supplies ON DELETE CASCADE ON UPDATE CASCADE,
  position  INTEGER NOT NULL DEFAULT 0,
  protocol  INTEGER CHECK (protocol BETWEEN 1 AND 9999),
  PRIMARY KEY (supply_id, protocol)
);

CREATE OR REPLACE FUNCTION put_bidder_last() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  SELECT COALESCE(MAX(position), 0) + 1 INTO NEW.position
    FROM supply_bidders WHERE supply_id = NEW.supply_id;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER put_last BEFORE INSERT ON supply_bidders
  FOR EACH ROW WHEN (NEW.position = 0) EXECUTE FUNCTION put_bidder_last();

-- Before the change: whoever changes anything waits here for the others, and not in a deadlock.
-- With its owner's rights: who may change a table of the catalog needs none on the version.
CREATE OR REPLACE FUNCTION raise_catalog_version() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  EXECUTE format('UPDATE %I.catalog_version SET version = version + 1', TG_TABLE_SCHEMA);
  PERFORM pg_notify('exchange_catalog', '');
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER raise_version
  BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON bidders
  FOR EACH STATEMENT EXECUTE FUNCTION raise_catalog_version();
CREATE OR REPLACE TRIGGER raise_version
  BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON bidder_countries
  FOR EACH STATEMENT EXECUTE FUNCTION raise_catalog_version();
CREATE OR REPLACE TRIGGER raise_version
  BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON bidder_headers
  FOR EACH STATEMENT EXECUTE FUNCTION raise_catalog_version();
CREATE OR REPLACE TRIGGER raise_version
  BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON supplies
  FOR EACH STATEMENT EXECUTE FUNCTION raise_catalog_version();
CREATE OR REPLACE TRIGGER raise_version
  BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON supply_bidders
  FOR EACH STATEMENT EXECUTE FUNCTION raise_catalog_version();
CREATE OR REPLACE TRIGGER raise_version
  BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON supply_banner_formats
  FOR EACH STATEMENT EXECUTE FUNCTION raise_catalog_version();
CREATE OR REPLACE TRIGGER raise_version
  BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON supply_video_mimes
  FOR EACH STATEMENT EXECUTE FUNCTION raise_catalog_version();
CREATE OR REPLACE TRIGGER raise_version
  BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON supply_video_protocols
  FOR EACH STATEMENT EXECUTE FUNCTION raise_catalog_version();
