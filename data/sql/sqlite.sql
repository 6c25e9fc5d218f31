-- The catalog in SQLite 3.35 or later. `exchange catalog init` runs this file in one transaction;
-- run again, it adds what is missing and keeps what is there.

-- A number that every change of the catalog raises, in the transaction of the change.
CREATE TABLE IF NOT EXISTS catalog_version (
  id      INTEGER PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  version INTEGER NOT NULL
);
INSERT OR IGNORE INTO catalog_version (version) VALUES (1);

-- Who may bid. NULL: not said. Without an endpoint it is simulated.
CREATE TABLE IF NOT EXISTS bidders (
  id                 TEXT NOT NULL PRIMARY KEY
    CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^!-~]*'),
  country            TEXT CHECK (country GLOB '[A-Z][A-Z]'), -- Or rows of bidder_countries.
  endpoint           TEXT CHECK (endpoint GLOB 'http*://?*' AND endpoint NOT GLOB '*[^!-~]*'),
  seat               TEXT CHECK (length(seat) BETWEEN 1 AND 64 AND seat NOT GLOB '*[^!-~]*'),
  max_in_flight      INTEGER CHECK (max_in_flight BETWEEN 1 AND 10000),
  max_qps            INTEGER CHECK (max_qps BETWEEN 1 AND 1000000),
  timeout_ms         INTEGER CHECK (timeout_ms BETWEEN 1 AND 60000),
  gzip               INTEGER CHECK (gzip IN (0, 1)),
  wait               INTEGER CHECK (wait IN (0, 1)),
  no_bid_probability REAL CHECK (no_bid_probability BETWEEN 0 AND 1),
  latency_ms         TEXT
    CHECK (latency_ms GLOB '[0-9]*-*[0-9]' AND latency_ms NOT GLOB '*[^0-9-]*')
);

-- Several countries of one bidder, instead of bidders.country.
CREATE TABLE IF NOT EXISTS bidder_countries (
  bidder_id TEXT NOT NULL REFERENCES bidders ON DELETE CASCADE ON UPDATE CASCADE,
  position  INTEGER NOT NULL DEFAULT 0,
  country   TEXT NOT NULL CHECK (country GLOB '[A-Z][A-Z]'),
  PRIMARY KEY (bidder_id, country)
);

-- Sent with each call of a bidder.
CREATE TABLE IF NOT EXISTS bidder_headers (
  bidder_id TEXT NOT NULL REFERENCES bidders ON DELETE CASCADE ON UPDATE CASCADE,
  name      TEXT NOT NULL CHECK (name <> '' AND name NOT GLOB '*[^A-Za-z0-9-]*'),
  value     TEXT NOT NULL CHECK (value NOT GLOB '*[^ -~]*'),
  PRIMARY KEY (bidder_id, name)
);

-- Places for an ad. NULL: not said.
CREATE TABLE IF NOT EXISTS supplies (
  id                TEXT NOT NULL PRIMARY KEY
    CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^!-~]*'),
  floor             NUMERIC CHECK (floor BETWEEN 0 AND 4000), -- CPM.
  auction           TEXT CHECK (auction IN ('first_price', 'second_price')),
  domain            TEXT CHECK (domain <> ''),
  app_bundle        TEXT CHECK (app_bundle <> ''),
  app_name          TEXT CHECK (app_name <> ''),
  app_domain        TEXT CHECK (app_domain <> ''),
  app_storeurl      TEXT CHECK (app_storeurl <> ''),
  video_w           INTEGER CHECK (video_w BETWEEN 1 AND 10000),
  video_h           INTEGER CHECK (video_h BETWEEN 1 AND 10000),
  video_minduration INTEGER CHECK (video_minduration BETWEEN 0 AND 3600),
  video_maxduration INTEGER CHECK (video_maxduration BETWEEN 0 AND 3600),
  native_request    TEXT CHECK (native_request <> ''),
  native_ver        TEXT CHECK (native_ver <> ''),
  CHECK (domain IS NULL OR app_bundle IS NULL),
  CHECK (app_bundle IS NOT NULL OR COALESCE(app_name, app_domain, app_storeurl) IS NULL),
  CHECK (native_request IS NOT NULL OR native_ver IS NULL)
);

-- Who may bid on what. Of equal bids the lowest position wins; without one a row comes last.
CREATE TABLE IF NOT EXISTS supply_bidders (
  supply_id TEXT NOT NULL REFERENCES supplies ON DELETE CASCADE ON UPDATE CASCADE,
  bidder_id TEXT NOT NULL REFERENCES bidders ON DELETE CASCADE ON UPDATE CASCADE,
  position  INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (supply_id, bidder_id)
);
CREATE INDEX IF NOT EXISTS supply_bidders_in_order ON supply_bidders (supply_id, position);
CREATE INDEX IF NOT EXISTS supply_bidders_of_bidder ON supply_bidders (bidder_id);

-- The sizes of a banner.
CREATE TABLE IF NOT EXISTS supply_banner_formats (
  supply_id TEXT NOT NULL REFERENCES supplies ON DELETE CASCADE ON UPDATE CASCADE,
  position  INTEGER NOT NULL DEFAULT 0,
  w         INTEGER NOT NULL CHECK (w BETWEEN 1 AND 10000),
  h         INTEGER NOT NULL CHECK (h BETWEEN 1 AND 10000),
  PRIMARY KEY (supply_id, w, h)
);

-- A video has at least one.
CREATE TABLE IF NOT EXISTS supply_video_mimes (
  supply_id TEXT NOT NULL REFERENCES supplies ON DELETE CASCADE ON UPDATE CASCADE,
  position  INTEGER NOT NULL DEFAULT 0,
  mime      TEXT NOT NULL CHECK (mime <> '' AND mime NOT GLOB '*[^!-~]*'),
  PRIMARY KEY (supply_id, mime)
);

CREATE TABLE IF NOT EXISTS supply_video_protocols (
  supply_id TEXT NOT NULL REFERENCES supplies ON DELETE CASCADE ON UPDATE CASCADE,
  position  INTEGER NOT NULL DEFAULT 0,
  protocol  INTEGER NOT NULL CHECK (protocol BETWEEN 1 AND 9999),
  PRIMARY KEY (supply_id, protocol)
);

CREATE TRIGGER IF NOT EXISTS put_bidder_last AFTER INSERT ON supply_bidders WHEN NEW.position = 0
BEGIN
  UPDATE supply_bidders
    SET position = (SELECT MAX(position) + 1 FROM supply_bidders WHERE supply_id = NEW.supply_id)
    WHERE supply_id = NEW.supply_id AND bidder_id = NEW.bidder_id;
END;

CREATE TRIGGER IF NOT EXISTS bidders_inserted AFTER INSERT ON bidders
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS bidders_updated AFTER UPDATE ON bidders
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS bidders_deleted AFTER DELETE ON bidders
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS bidder_countries_inserted AFTER INSERT ON bidder_countries
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS bidder_countries_updated AFTER UPDATE ON bidder_countries
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS bidder_countries_deleted AFTER DELETE ON bidder_countries
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS bidder_headers_inserted AFTER INSERT ON bidder_headers
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS bidder_headers_updated AFTER UPDATE ON bidder_headers
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS bidder_headers_deleted AFTER DELETE ON bidder_headers
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS supplies_inserted AFTER INSERT ON supplies
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS supplies_updated AFTER UPDATE ON supplies
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS supplies_deleted AFTER DELETE ON supplies
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS supply_bidders_inserted AFTER INSERT ON supply_bidders
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS supply_bidders_updated AFTER UPDATE ON supply_bidders
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS supply_bidders_deleted AFTER DELETE ON supply_bidders
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS supply_banner_formats_inserted AFTER INSERT ON supply_banner_formats
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS supply_banner_formats_updated AFTER UPDATE ON supply_banner_formats
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS supply_banner_formats_deleted AFTER DELETE ON supply_banner_formats
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS supply_video_mimes_inserted AFTER INSERT ON supply_video_mimes
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS supply_video_mimes_updated AFTER UPDATE ON supply_video_mimes
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS supply_video_mimes_deleted AFTER DELETE ON supply_video_mimes
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS supply_video_protocols_inserted AFTER INSERT ON supply_video_protocols
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS supply_video_protocols_updated AFTER UPDATE ON supply_video_protocols
  BEGIN UPDATE catalog_version SET version = version + 1; END;
CREATE TRIGGER IF NOT EXISTS supply_video_protocols_deleted AFTER DELETE ON supply_video_protocols
  BEGIN UPDATE catalog_version SET version = version + 1; END;
