-- The catalog in MySQL 8.0.29 or later, or MariaDB 10.6 or later. `exchange catalog init` runs this
-- file; run again, it adds what is missing and keeps what is there. TRUNCATE fires no trigger here:
-- use DELETE.

-- A number that every change of the catalog raises, in the transaction of the change.
CREATE TABLE IF NOT EXISTS catalog_version (
  id      INTEGER PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  version BIGINT  NOT NULL
);
INSERT IGNORE INTO catalog_version (version) VALUES (1);

-- Who may bid. NULL: not said. Without an endpoint it is simulated.
CREATE TABLE IF NOT EXISTS bidders (
  id                 VARCHAR(64) PRIMARY KEY CHECK (id REGEXP '^[!-~]+\\z'),
  -- Or rows of bidder_countries.
  country            VARCHAR(2) CHECK (country REGEXP '^[A-Z]{2}\\z'),
  endpoint           VARCHAR(2048) CHECK (endpoint REGEXP '^https?://[!-~]+\\z'),
  seat               VARCHAR(64) CHECK (seat REGEXP '^[!-~]+\\z'),
  max_in_flight      INTEGER CHECK (max_in_flight BETWEEN 1 AND 10000),
  max_qps            INTEGER CHECK (max_qps BETWEEN 1 AND 1000000),
  timeout_ms         INTEGER CHECK (timeout_ms BETWEEN 1 AND 60000),
  gzip               BOOLEAN,
  wait               BOOLEAN,
  no_bid_probability DOUBLE PRECISION CHECK (no_bid_probability BETWEEN 0 AND 1),
  latency_ms         VARCHAR(11) CHECK (latency_ms REGEXP '^[0-9]{1,5}-[0-9]{1,5}\\z')
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Several countries of one bidder, instead of bidders.country.
CREATE TABLE IF NOT EXISTS bidder_countries (
  bidder_id VARCHAR(64),
  position  INTEGER NOT NULL DEFAULT 0,
  country   VARCHAR(2) CHECK (country REGEXP '^[A-Z]{2}\\z'),
  PRIMARY KEY (bidder_id, country),
  FOREIGN KEY (bidder_id) REFERENCES bidders (id) ON DELETE CASCADE ON UPDATE CASCADE
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Sent with each call of a bidder.
CREATE TABLE IF NOT EXISTS bidder_headers (
  bidder_id VARCHAR(64),
  name      VARCHAR(64) CHECK (name REGEXP '^[A-Za-z0-9-]+\\z'),
  value     VARCHAR(1024) NOT NULL CHECK (value REGEXP '^[ -~]*\\z'),
  PRIMARY KEY (bidder_id, name),
  FOREIGN KEY (bidder_id) REFERENCES bidders (id) ON DELETE CASCADE ON UPDATE CASCADE
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Places for an ad. NULL: not said.
CREATE TABLE IF NOT EXISTS supplies (
  id                VARCHAR(64) PRIMARY KEY CHECK (id REGEXP '^[!-~]+\\z'),
  floor             NUMERIC(6, 2) CHECK (floor BETWEEN 0 AND 4000), -- CPM.
  auction           VARCHAR(16) CHECK (auction IN ('first_price', 'second_price')),
  domain            VARCHAR(256) CHECK (CHAR_LENGTH(domain) > 0),
  app_bundle        VARCHAR(256) CHECK (CHAR_LENGTH(app_bundle) > 0),
  app_name          VARCHAR(256) CHECK (CHAR_LENGTH(app_name) > 0),
  app_domain        VARCHAR(256) CHECK (CHAR_LENGTH(app_domain) > 0),
  app_storeurl      VARCHAR(2048) CHECK (CHAR_LENGTH(app_storeurl) > 0),
  video_w           INTEGER CHECK (video_w BETWEEN 1 AND 10000),
  video_h           INTEGER CHECK (video_h BETWEEN 1 AND 10000),
  video_minduration INTEGER CHECK (video_minduration BETWEEN 0 AND 3600),
  video_maxduration INTEGER CHECK (video_maxduration BETWEEN 0 AND 3600),
  native_request    VARCHAR(4096) CHECK (CHAR_LENGTH(native_request) > 0),
  native_ver        VARCHAR(256) CHECK (CHAR_LENGTH(native_ver) > 0),
  CHECK (domain IS NULL OR app_bundle IS NULL),
  CHECK (app_bundle IS NOT NULL OR COALESCE(app_name, app_domain, app_storeurl) IS NULL),
  CHECK (native_request IS NOT NULL OR native_ver IS NULL)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Who may bid on what. Of equal bids the lowest position wins; without one a row comes last.
CREATE TABLE IF NOT EXISTS supply_bidders (
  supply_id VARCHAR(64),
  bidder_id VARCHAR(64),
  position  INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (supply_id, bidder_id),
  INDEX supply_bidders_in_order (supply_id, position),
  FOREIGN KEY (supply_id) REFERENCES supplies (id) ON DELETE CASCADE ON UPDATE CASCADE,
  FOREIGN KEY (bidder_id) REFERENCES bidders (id) ON DELETE CASCADE ON UPDATE CASCADE
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The sizes of a banner.
CREATE TABLE IF NOT EXISTS supply_banner_formats (
  supply_id VARCHAR(64),
  position  INTEGER NOT NULL DEFAULT 0,
  w         INTEGER CHECK (w BETWEEN 1 AND 10000),
  h         INTEGER CHECK (h BETWEEN 1 AND 10000),
  PRIMARY KEY (supply_id, w, h),
  FOREIGN KEY (supply_id) REFERENCES supplies (id) ON DELETE CASCADE ON UPDATE CASCADE
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- A video has at least one.
CREATE TABLE IF NOT EXISTS supply_video_mimes (
  supply_id VARCHAR(64),
  position  INTEGER NOT NULL DEFAULT 0,
  mime      VARCHAR(256) CHECK (mime REGEXP '^[!-~]+\\z'),
  PRIMARY KEY (supply_id, mime),
  FOREIGN KEY (supply_id) REFERENCES supplies (id) ON DELETE CASCADE ON UPDATE CASCADE
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS supply_video_protocols (
  supply_id VARCHAR(64),
  position  INTEGER NOT NULL DEFAULT 0,
  protocol  INTEGER CHECK (protocol BETWEEN 1 AND 9999),
  PRIMARY KEY (supply_id, protocol),
  FOREIGN KEY (supply_id) REFERENCES supplies (id) ON DELETE CASCADE ON UPDATE CASCADE
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TRIGGER IF NOT EXISTS put_bidder_last BEFORE INSERT ON supply_bidders FOR EACH ROW
  SET NEW.position = CASE WHEN NEW.position <> 0 THEN NEW.position ELSE
    (SELECT COALESCE(MAX(position), 0) + 1 FROM supply_bidders WHERE supply_id = NEW.supply_id) END;

CREATE TRIGGER IF NOT EXISTS bidders_inserted AFTER INSERT ON bidders
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS bidders_updated AFTER UPDATE ON bidders
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS bidders_deleted AFTER DELETE ON bidders
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS bidder_countries_inserted AFTER INSERT ON bidder_countries
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS bidder_countries_updated AFTER UPDATE ON bidder_countries
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS bidder_countries_deleted AFTER DELETE ON bidder_countries
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS bidder_headers_inserted AFTER INSERT ON bidder_headers
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS bidder_headers_updated AFTER UPDATE ON bidder_headers
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS bidder_headers_deleted AFTER DELETE ON bidder_headers
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS supplies_inserted AFTER INSERT ON supplies
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS supplies_updated AFTER UPDATE ON supplies
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS supplies_deleted AFTER DELETE ON supplies
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS supply_bidders_inserted AFTER INSERT ON supply_bidders
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS supply_bidders_updated AFTER UPDATE ON supply_bidders
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS supply_bidders_deleted AFTER DELETE ON supply_bidders
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS supply_banner_formats_inserted AFTER INSERT ON supply_banner_formats
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS supply_banner_formats_updated AFTER UPDATE ON supply_banner_formats
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS supply_banner_formats_deleted AFTER DELETE ON supply_banner_formats
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS supply_video_mimes_inserted AFTER INSERT ON supply_video_mimes
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS supply_video_mimes_updated AFTER UPDATE ON supply_video_mimes
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS supply_video_mimes_deleted AFTER DELETE ON supply_video_mimes
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS supply_video_protocols_inserted AFTER INSERT ON supply_video_protocols
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS supply_video_protocols_updated AFTER UPDATE ON supply_video_protocols
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
CREATE TRIGGER IF NOT EXISTS supply_video_protocols_deleted AFTER DELETE ON supply_video_protocols
  FOR EACH ROW UPDATE catalog_version SET version = version + 1;
