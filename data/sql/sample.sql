-- The sample catalog, the same as in data/catalog.json, in plain SQL. `exchange catalog init` runs
-- this file on a catalog that nobody has ever written to.

INSERT INTO bidders (id, country) VALUES
  ('bidder1', 'US'),
  ('bidder2', 'GB'),
  ('bidder3', 'US'),
  ('atlas', 'US'),
  ('bluefin', 'GB'),
  ('cobalt', 'DE'),
  ('delphi', 'FR'),
  ('ember', 'US'),
  ('foxglove', 'GB'),
  ('granite', 'CA'),
  ('harbor', 'AU'),
  ('iris', 'JP'),
  ('juniper', 'BR'),
  ('kestrel', 'US'),
  ('lumen', 'DE'),
  ('meridian', 'FR'),
  ('nimbus', 'US'),
  ('orchid', 'JP'),
  ('pinnacle', 'BR'),
  ('quartz', 'CA');

INSERT INTO supplies (id) VALUES
  ('supply1'),
  ('supply2'),
  ('news-home-top'),
  ('news-article-mid'),
  ('sports-live'),
  ('weather-app'),
  ('recipes-sidebar'),
  ('games-interstitial'),
  ('video-preroll'),
  ('music-banner'),
  ('travel-search'),
  ('classifieds');

-- In this order: without a position each comes last of its supply.
INSERT INTO supply_bidders (supply_id, bidder_id) VALUES
  ('supply1', 'bidder1'), ('supply1', 'bidder2'), ('supply1', 'bidder3'),
  ('supply2', 'bidder2'), ('supply2', 'bidder3'),
  ('news-home-top', 'atlas'), ('news-home-top', 'bluefin'), ('news-home-top', 'cobalt'),
    ('news-home-top', 'delphi'), ('news-home-top', 'ember'), ('news-home-top', 'foxglove'),
  ('news-article-mid', 'atlas'), ('news-article-mid', 'bidder1'),
    ('news-article-mid', 'granite'), ('news-article-mid', 'harbor'),
    ('news-article-mid', 'iris'),
  ('sports-live', 'bluefin'), ('sports-live', 'cobalt'), ('sports-live', 'juniper'),
    ('sports-live', 'kestrel'), ('sports-live', 'lumen'), ('sports-live', 'bidder2'),
  ('weather-app', 'delphi'), ('weather-app', 'ember'), ('weather-app', 'meridian'),
    ('weather-app', 'nimbus'),
  ('recipes-sidebar', 'foxglove'), ('recipes-sidebar', 'granite'), ('recipes-sidebar', 'orchid'),
  ('games-interstitial', 'harbor'), ('games-interstitial', 'iris'),
    ('games-interstitial', 'juniper'), ('games-interstitial', 'pinnacle'),
    ('games-interstitial', 'quartz'),
  ('video-preroll', 'atlas'), ('video-preroll', 'kestrel'), ('video-preroll', 'lumen'),
    ('video-preroll', 'meridian'), ('video-preroll', 'nimbus'), ('video-preroll', 'orchid'),
    ('video-preroll', 'pinnacle'),
  ('music-banner', 'quartz'), ('music-banner', 'bidder3'), ('music-banner', 'bluefin'),
  ('travel-search', 'cobalt'), ('travel-search', 'delphi'), ('travel-search', 'granite'),
    ('travel-search', 'kestrel'), ('travel-search', 'orchid'), ('travel-search', 'quartz'),
  ('classifieds', 'ember'), ('classifieds', 'foxglove'), ('classifieds', 'iris'),
    ('classifieds', 'meridian'), ('classifieds', 'bidder1'), ('classifieds', 'bidder3');
